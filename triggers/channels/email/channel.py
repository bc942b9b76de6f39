"""E-mail: addresses, the exact message, and a session with the mail server."""

from email.utils import parseaddr
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from triggers.channels.base import Prepared, Session
from triggers.channels.email.session import BackendSession, SmtpSession
from triggers.policy.inputs import AddressStanding
from triggers.render.liquid import RenderedMessage, clean_header

SMTP_BACKEND = "django.core.mail.backends.smtp.EmailBackend"


class EmailChannel:
    """Mails people at their `email`."""

    name = "email"

    def find_address(self, traits: dict[str, Any]) -> str:
        """Return the person's mail address."""
        address = traits.get("email")
        return address.strip() if isinstance(address, str) else ""

    def check_address(self, address: str) -> AddressStanding:
        """Say whether it looks like a mail address."""
        if not address:
            return AddressStanding.MISSING
        try:
            validate_email(address)
        except ValidationError:
            return AddressStanding.INVALID
        return AddressStanding.VALID

    def prepare(self, delivery_id: UUID, address: str, message: RenderedMessage) -> Prepared:
        """Return the exact mail. Its Message-ID is the delivery's id, so that a bounce finds it."""
        sender = settings.DEFAULT_FROM_EMAIL
        domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
        return Prepared(
            id=delivery_id,
            to=clean_header(address),
            sender=sender,
            subject=message.subject,
            html=message.html,
            text=message.text,
            headers={"Message-ID": f"<{delivery_id}@{domain}>"},
        )

    def open_session(self) -> Session:
        """Return a session with the mail server."""
        return SmtpSession() if settings.EMAIL_BACKEND == SMTP_BACKEND else BackendSession()
