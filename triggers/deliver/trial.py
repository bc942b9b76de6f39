"""A template's test mail: to ourselves only, and through the switch and the suppressions as any message."""

from typing import Any
from uuid import uuid4

import msgspec
from django.conf import settings
from django.contrib.auth.models import User

from triggers.channels import CHANNELS
from triggers.channels.address import hash_address
from triggers.channels.base import SendOutcome
from triggers.models import MissingVariable, SendingSwitch, Suppression, TemplateVersion
from triggers.policy.decision import SENTENCES, Reason
from triggers.render.liquid import RenderFailed, Words, render_message

SUBJECT_MARK = "[Test] "
_STRANGER = (
    "Test mails go to active staff only, at the address of their account, and to the addresses in TEST_RECIPIENTS."
)


class TestRefused(msgspec.Struct, frozen=True, kw_only=True):
    """Why no test is sent, as a sentence."""

    __test__ = False
    sentence: str


def send_test(
    version: TemplateVersion, address: str, variables: dict[str, Any]
) -> SendOutcome | RenderFailed | TestRefused:
    """Mail a template to one of us, filled in with the given variables. The caller notes who sent it."""
    recipient = find_recipient(address)
    if recipient is None:
        return TestRefused(sentence=_STRANGER)
    reason = _find_objection(recipient)
    if reason is not None:
        return TestRefused(sentence=SENTENCES[reason])
    rendered = render_message(_read_words(version), variables)
    if isinstance(rendered, RenderFailed):
        return rendered
    channel = CHANNELS["email"]
    session = channel.open_session()
    try:
        marked = msgspec.structs.replace(rendered, subject=SUBJECT_MARK + rendered.subject)
        return session.send(channel.prepare(uuid4(), recipient, marked))
    finally:
        session.close()


def find_recipient(address: str) -> str | None:
    """Return the address as we have it ourselves, and not as it was typed: letters that look alike are none of ours."""
    for known in settings.TEST_RECIPIENTS:
        if known.casefold() == address.casefold():
            return str(known)
    staff = User.objects.filter(is_active=True, is_staff=True).exclude(email="")
    return staff.filter(email__iexact=address).values_list("email", flat=True).first()


def _find_objection(address: str) -> Reason | None:
    if SendingSwitch.objects.filter(is_stopped=True).exists():
        return Reason.SENDING_STOPPED
    channel = CHANNELS["email"].name
    hashed = hash_address(channel, address)
    is_suppressed = Suppression.objects.filter(channel=channel, address_hash=hashed).exists()
    return Reason.SUPPRESSED if is_suppressed else None


def _read_words(version: TemplateVersion) -> Words:
    return Words(
        subject=version.subject,
        html=version.html,
        text=version.text,
        allows_empty=version.on_missing == MissingVariable.EMPTY,
    )
