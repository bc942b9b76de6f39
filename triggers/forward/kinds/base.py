"""What a kind of destination can do, and what the usual answers mean."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, ClassVar
from urllib.parse import quote, quote_plus

import msgspec

from triggers.forward.copies import Copy

LONGEST_WAIT = timedelta(days=1)
_SHOWN = 300
_HIDDEN = "•••"
_SHORTEST_SECRET = 4
"""What is shorter is no secret, and is found in every other word."""
_MARKUP = re.compile(r"<(style|script|title)\b.*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL)

# These alone speak of what was sent. Every other answer may be about the key, the bill, the address or the hour.
_REFUSED = frozenset({400, 413, 414, 415, 422, 431})
_TOO_MANY = 429


class Result(StrEnum):
    """What became of a parcel: taken, maybe apart from some copies; refused for good; not taken this time.

    `shut`: nothing is taken for now, whatever it is; `gone`: nothing is wanted any more.
    """

    SENT = "sent"
    REFUSED = "refused"
    HELD = "held"
    SHUT = "shut"
    GONE = "gone"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer means. `refused` has the places of copies that were refused alone, each with a reason."""

    result: Result
    reason: str = ""
    retry_after: timedelta | None = None
    refused: dict[int, str] = {}


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """One request with its copies."""

    copies: Sequence[Copy]
    url: str
    body: bytes
    headers: dict[str, str] = {}


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer: names of headers in lower case."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of destination with its settings: the fields of the struct. `SECRETS` names those that nobody may see."""

    SECRETS: ClassVar[tuple[str, ...]] = ()

    def pack(self, copies: Sequence[Copy]) -> list[list[Parcel]]:
        """Return strands of parcels: those of one strand are sent one after the other, strands side by side.

        The same copies give the same parcels. A person's copies are in one strand, in the order of the log.
        """
        raise NotImplementedError

    def sign(self, parcel: Parcel, now: datetime) -> dict[str, str]:
        """Return the headers that belong to this attempt."""
        return {}

    def judge(self, parcel: Parcel, reply: Reply, now: datetime) -> Verdict:
        """Say what an answer means."""
        return judge_status(reply, now)

    def list_secrets(self) -> list[str]:
        """Return the secrets in every spelling in which they leave, and so may come back."""
        secrets = [str(getattr(self, name)) for name in self.SECRETS]
        spelled = [text for secret in secrets for text in (secret, quote(secret, safe=""), quote_plus(secret))]
        return list(dict.fromkeys(text for text in spelled if len(text) >= _SHORTEST_SECRET))

    def pack_trial(self, copy: Copy) -> Parcel:
        """Return the request that tries a destination with one copy."""
        return self.pack([copy])[0][0]

    def judge_trial(self, parcel: Parcel, reply: Reply, now: datetime) -> Verdict:
        """Say what the answer to a trial means."""
        return self.judge(parcel, reply, now)


def judge_status(reply: Reply, now: datetime) -> Verdict:
    """Say what a status means where the other side has no further words."""
    if 200 <= reply.status < 300:
        return Verdict(result=Result.SENT)
    reason = say_reply(reply)
    if reply.status in _REFUSED:
        return Verdict(result=Result.REFUSED, reason=reason)
    result = Result.SHUT if reply.status == _TOO_MANY else Result.HELD
    return Verdict(result=result, reason=reason, retry_after=read_retry_after(reply.headers, now))


def say_reply(reply: Reply) -> str:
    """Return an answer in words, cut. Of a page only its text."""
    text = reply.body.decode("utf-8", "replace").replace("\0", "")
    if "html" in reply.headers.get("content-type", ""):
        text = _MARKUP.sub(" ", text)
    words = " ".join(text.split())[:_SHOWN]
    # An address that repeats ours has our key in its query.
    target = reply.headers.get("location", "").partition("?")[0].partition("#")[0]
    moved = f", and pointed to {target[:_SHOWN]}" if target else ""
    return f"It answered {reply.status}{moved}{': ' if words else '.'}{words}"


def hide_secrets(kind: Kind, reply: Reply) -> Reply:
    """Return an answer as if it repeated none of our secrets: what is said of it is stored, and shown to many."""
    headers, body = dict(reply.headers), reply.body
    for secret in kind.list_secrets():
        headers = {name: value.replace(secret, _HIDDEN) for name, value in headers.items()}
        body = body.replace(secret.encode(), _HIDDEN.encode())
    return Reply(status=reply.status, headers=headers, body=body)


def hide_in_words(kind: Kind, words: str) -> str:
    """Return words without our secrets."""
    for secret in kind.list_secrets():
        words = words.replace(secret, _HIDDEN)
    return words


def read_retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Return how long the other side asks to be left alone, a day at most; None where it does not say."""
    raw = headers.get("retry-after", "").strip()
    if not raw:
        return None
    if raw.isascii() and raw.isdecimal():
        return min(timedelta(seconds=min(int(raw[:9]), 10**6)), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(raw)
        wait = moment - now
    except (TypeError, ValueError):
        return None
    return min(max(wait, timedelta(0)), LONGEST_WAIT)


def split_lanes(copies: Sequence[Copy]) -> list[list[Copy]]:
    """Return the copies of each lane, in their order."""
    lanes: dict[int, list[Copy]] = {}
    for copy in copies:
        lanes.setdefault(copy.lane, []).append(copy)
    return list(lanes.values())


def cut(rows: Sequence[tuple[Copy, bytes]], most: int, most_bytes: int) -> Iterator[Sequence[tuple[Copy, bytes]]]:
    """Cut encoded copies into pieces of at most so many, and so many bytes unless one alone has more."""
    piece: list[tuple[Copy, bytes]] = []
    size = 0
    for row in rows:
        if piece and (len(piece) == most or size + len(row[1]) > most_bytes):
            yield piece
            piece, size = [], 0
        piece.append(row)
        size += len(row[1]) + 1
    if piece:
        yield piece


def encode(value: Any) -> bytes:
    """Return JSON."""
    return msgspec.json.encode(value)


Mapper = Callable[[Copy], Any]
