"""Sessions with a mail server, which know where a try broke.

What fails before the message's body began was not sent and may be tried again; a connection that breaks after it leaves
the mail in doubt. A refusal after the body is an answer like any other.
"""

import smtplib
from typing import Any

from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.smtp import EmailBackend
from django.core.mail.message import sanitize_address

from triggers.channels.base import Prepared, SendOutcome, SendResult

_LIMIT = 500


class _Watched(smtplib.SMTP):
    """Remembers whether the body of a message has begun."""

    has_body_begun = False

    def data(self, msg: Any) -> Any:
        """Send a message's body; commands go out as text, the body as bytes."""
        self._is_in_data = True
        try:
            return super().data(msg)
        finally:
            self._is_in_data = False

    def send(self, s: Any) -> None:
        """Write to the server."""
        if getattr(self, "_is_in_data", False) and isinstance(s, bytes):
            self.has_body_begun = True
        super().send(s)


class _WatchedSsl(_Watched, smtplib.SMTP_SSL):
    """The same over TLS from the start."""


class _WatchedBackend(EmailBackend):
    """Django's SMTP settings, with a connection that is watched."""

    @property
    def connection_class(self) -> Any:
        """The class of the connection."""
        return _WatchedSsl if self.use_ssl else _Watched


class SmtpSession:
    """One connection for several mails, opened when it is needed and again when it was lost."""

    def __init__(self) -> None:
        self._backend: Any = _WatchedBackend(fail_silently=False)

    def send(self, message: Prepared) -> SendOutcome:
        """Try once."""
        try:
            self._backend.open()
            connection: _Watched = self._backend.connection
            connection.has_body_begun = False
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            return _judge(error, has_body_begun=False)
        try:
            mail = compose(message)
            sender = sanitize_address(mail.from_email, "utf-8")
            recipients = [sanitize_address(address, "utf-8") for address in mail.recipients()]
            body: Any = mail.message()
            connection.sendmail(sender, recipients, body.as_bytes(linesep="\r\n"))
        except (OSError, smtplib.SMTPException) as error:
            outcome = _judge(error, has_body_begun=connection.has_body_begun)
            self.close()
            return outcome
        except ValueError as error:
            return SendOutcome(result=SendResult.REJECTED, detail=str(error)[:_LIMIT])
        return SendOutcome(result=SendResult.ACCEPTED)

    def close(self) -> None:
        """End the connection; a server that is gone cannot be told."""
        try:
            self._backend.close()
        except (OSError, smtplib.SMTPException):
            self._backend.connection = None


class BackendSession:
    """Another of Django's mail backends: it does not tell where it broke, so every failure leaves the mail in doubt."""

    def send(self, message: Prepared) -> SendOutcome:
        """Try once."""
        try:
            get_connection(fail_silently=False).send_messages([compose(message)])
        except Exception as error:
            return SendOutcome(result=SendResult.IN_DOUBT, detail=f"{type(error).__name__}: {error}"[:_LIMIT])
        return SendOutcome(result=SendResult.ACCEPTED)

    def close(self) -> None:
        """Nothing is kept open."""


def compose(message: Prepared) -> EmailMultiAlternatives:
    """Return the mail: a text part, and the HTML as its alternative."""
    mail = EmailMultiAlternatives(
        subject=message.subject,
        body=message.text,
        from_email=message.sender,
        to=[message.to],
        headers=dict(message.headers),
    )
    if message.html:
        mail.attach_alternative(message.html, "text/html")
    return mail


def _judge(error: Exception, *, has_body_begun: bool) -> SendOutcome:
    detail = f"{type(error).__name__}: {error}"[:_LIMIT]
    code = _read_code(error)
    if code is not None:
        result = SendResult.REJECTED if code >= 500 else SendResult.RETRY
    else:
        result = SendResult.IN_DOUBT if has_body_begun else SendResult.RETRY
    return SendOutcome(result=result, detail=detail)


def _read_code(error: Exception) -> int | None:
    """Return the server's answer, where there was one. A refused log-in is ours to mend: worth another try."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return None
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return max(code for code, _ in error.recipients.values())
    return error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else None
