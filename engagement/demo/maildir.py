"""Reading the Maildir that the local SMTP sink fills. A file there is written once and never changes."""

import email
import email.policy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import getaddresses
from functools import lru_cache
from itertools import islice
from pathlib import Path

_FOLDERS = ("new", "cur")
_REACH = 2000
_PREVIEW = 110


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail as it arrived. `recipients` are those of the envelope, in lower case; `key` names it in the inbox."""

    key: str
    received_at: datetime
    subject: str
    sender: str
    to: str
    recipients: frozenset[str]
    message_id: str
    html: str
    text: str
    source: str
    images: tuple[tuple[str, str, bytes], ...] = ()

    @property
    def preview(self) -> str:
        """The first words of the text."""
        words = " ".join(self.text.split())
        return words if len(words) <= _PREVIEW else words[:_PREVIEW].rstrip() + "…"


def list_mails(folder: Path, wanted: Callable[[Mail], bool], *, limit: int = 100) -> list[Mail]:
    """Return the mails that are wanted, newest first."""
    return list(islice(filter(wanted, _iterate(folder)), limit))


def find_mail(folder: Path, wanted: Callable[[Mail], bool], key: str) -> Mail | None:
    """Return a mail by its key, if it is wanted. A key is compared with what is there, never opened as a path."""
    path = next((path for path in _scan(folder) if _read_key(path) == key), None)
    mail = _parse(path) if path is not None else None
    return mail if mail is not None and wanted(mail) else None


def _iterate(folder: Path) -> Iterator[Mail]:
    for path in sorted(_scan(folder), key=_read_time, reverse=True)[:_REACH]:
        mail = _parse(path)
        if mail is not None:
            yield mail


def _scan(folder: Path) -> list[Path]:
    return [path for name in _FOLDERS if (folder / name).is_dir() for path in (folder / name).iterdir()]


def _read_time(path: Path) -> tuple[float, str]:
    try:
        return path.stat().st_mtime, path.name
    except FileNotFoundError:
        return 0.0, path.name


def _read_key(path: Path) -> str:
    return path.name.partition(":")[0]


@lru_cache(maxsize=_REACH)
def _parse(path: Path) -> Mail | None:
    """Return the mail of a file, or None when it has gone."""
    try:
        raw, moment = path.read_bytes(), path.stat().st_mtime
    except FileNotFoundError:
        return None
    message = email.message_from_bytes(raw, policy=email.policy.default)
    envelope = message.get_all("X-RcptTo", [])[-1:] or message.get_all("To", [])
    return Mail(
        key=_read_key(path),
        received_at=datetime.fromtimestamp(moment, UTC),
        subject=str(message["Subject"] or "(no subject)"),
        sender=str(message["From"] or ""),
        to=str(message["To"] or ""),
        recipients=frozenset(address.lower() for _, address in getaddresses([str(value) for value in envelope])),
        message_id=str(message["Message-ID"] or "").strip(),
        html=_read_part(message, "html"),
        text=_read_part(message, "plain"),
        source=raw.decode("utf-8", "replace"),
        images=tuple(_read_images(message)),
    )


def _read_part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    if part is None:
        return ""
    try:
        return str(part.get_content())
    except (LookupError, UnicodeError):
        return str(part.get_payload())


def _read_images(message: EmailMessage) -> Iterator[tuple[str, str, bytes]]:
    """Return the images that the HTML may show: content id, type and bytes."""
    for part in message.walk():
        content_id = str(part["Content-ID"] or "").strip("<> ")
        payload = part.get_payload(decode=True)
        if content_id and part.get_content_maintype() == "image" and isinstance(payload, bytes):
            yield content_id, part.get_content_type(), payload
