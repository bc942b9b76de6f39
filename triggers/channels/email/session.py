"""Sessions with a mail server, which know where a try broke.

What fails before the message's body began was not sent and may be tried again; a connection that breaks after it leaves
the mail in doubt. A refusal after the body (4xx, 5xx) is an answer like any other; anything else there is none.
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
    """One connection for several mails, opened when it is needed and again when it was lost.

    A server that could not be reached is not asked again by this session: with a time-out for each mail, a batch would
    outlive its lease. Whatever a server says to the connection is no verdict on a message.
    """

    def __init__(self) -> None:
        self._backend: Any = _WatchedBackend(fail_silently=False)
        self._unreachable: SendOutcome | None = None

    def send(self, message: Prepared) -> SendOutcome:
        """Try once."""
        if self._unreachable is not None:
            return self._unreachable
        try:
            self._backend.open()
            connection: _Watched = self._backend.connection
            connection.has_body_begun = False
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            self._unreachable = _make_outcome(SendResult.RETRY, error)
            return self._unreachable
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
            return SendOutcome(result=SendResult.REJECTED, detail=str(error)[:_LIMIT], cause="ValueError")
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
            return _make_outcome(SendResult.IN_DOUBT, error)
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
    code = _read_code(error)
    if 400 <= code < 500:
        result = SendResult.RETRY
    elif 500 <= code < 600:
        result = SendResult.REJECTED
    else:
        result = SendResult.IN_DOUBT if has_body_begun else SendResult.RETRY
    return _make_outcome(result, error)


def _read_code(error: Exception) -> int:
    """Return the server's answer, 0 where there was none."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return max(code for code, _ in error.recipients.values())
    return error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else 0


def _make_outcome(result: SendResult, error: Exception) -> SendOutcome:
    """A server's words may repeat the address: the log hears the kind of the error and the server's code."""
    name = type(error).__name__
    return SendOutcome(
        result=result, detail=f"{name}: {error}"[:_LIMIT], cause=f"{name} {_read_code(error) or ''}".strip()
    )
