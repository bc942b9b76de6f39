"""Reading request bodies on the event loop: bounded in time, in number and in bytes, before any thread is taken.

A body has ten seconds and one more for each kilobyte that has come. Where too many are waited for, or
they hold too much, the one that has been waited for longest makes room: most bodies are there with their headers.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tracking.api.async_shell import Unread

Receive = Callable[[], Awaitable[Mapping[str, Any]]]

SECONDS = 10.0
_WATCH_SECONDS = 0.1
LEAST_RATE = 1_000
"""Bytes a second."""
MOST_WAITING = 1_000
MOST_BYTES = 64_000_000
"""Of all bodies of a process, until their requests are answered."""
DRAINED = 6_000_000
"""Bytes of a body that are read and dropped where it is too large: most clients send all before they read an answer."""


class Bodies:
    """The bodies under way in a process."""

    def __init__(
        self, seconds: float = SECONDS, most_waiting: int = MOST_WAITING, most_bytes: int = MOST_BYTES
    ) -> None:
        self._seconds, self._most_waiting, self._most_bytes = seconds, most_waiting, most_bytes
        self._waiting: dict[_Reader, None] = {}
        self._bytes = 0
        self._is_watched = False

    async def read(self, headers: Mapping[bytes, bytes], receive: Receive, most: int) -> bytes | Unread:
        """Return a body of at most `most` bytes, or why it is not there. Its room is kept until `release`."""
        length = _find_length(headers)
        if length == 0:
            return b""
        if length is not None and length > DRAINED:
            return Unread.TOO_LARGE
        reader = _Reader(length, most if length is None or length <= most else 0, self._seconds)
        self._waiting[reader] = None
        if not self._is_watched:
            self._watch()
        if len(self._waiting) > self._most_waiting:
            self._find_oldest().end(Unread.CROWDED)
        try:
            while not reader.is_done:
                message = await receive()
                if message["type"] != "http.request":
                    return self._drop(reader, Unread.GONE)
                self._bytes += reader.add(message)
                if self._bytes > self._most_bytes:
                    oldest = self._find_oldest()
                    if oldest is reader:
                        return self._drop(reader, Unread.CROWDED)
                    oldest.end(Unread.CROWDED)
        except asyncio.CancelledError:
            self._drop(reader, Unread.GONE)
            if reader.ended is None:
                raise
            reader.task.uncancel()
            return reader.ended
        finally:
            del self._waiting[reader]
        return b"".join(reader.pieces) if reader.received <= most else self._drop(reader, Unread.TOO_LARGE)

    def release(self, body: bytes | Unread) -> None:
        """Give back a body's room once its request is answered."""
        if isinstance(body, bytes):
            self._bytes -= len(body)

    def _drop(self, reader: "_Reader", reason: Unread) -> Unread:
        self._bytes -= reader.held
        return reason

    def _find_oldest(self) -> "_Reader":
        """Return the reading that has gone on longest: one at least, the caller's own, has not ended."""
        return next(reader for reader in self._waiting if reader.ended is None)

    def _watch(self) -> None:
        """End what takes too long. It is looked for now and then: a timer for each request costs more than reading."""
        now = time.monotonic()
        for reader in list(self._waiting):
            if now > reader.deadline and reader.ended is None:
                reader.end(Unread.TOO_SLOW)
        self._is_watched = bool(self._waiting)
        if self._is_watched:
            asyncio.get_running_loop().call_later(_WATCH_SECONDS, self._watch)


class _Reader:
    """One body under way. What goes beyond `most` is counted and dropped."""

    def __init__(self, length: int | None, most: int, seconds: float) -> None:
        self._length, self._most = length, most
        self._give_up_at = time.monotonic() + seconds
        self.pieces: list[bytes] = []
        self.received = self.held = 0
        self.is_done = False
        self.ended: Unread | None = None
        task = asyncio.current_task()
        assert task is not None
        self.task = task

    @property
    def deadline(self) -> float:
        """Until when it may go on, with what has come so far."""
        return self._give_up_at + self.received / LEAST_RATE

    def add(self, message: Mapping[str, Any]) -> int:
        """Take a piece; return how many bytes more are held."""
        piece: bytes = message.get("body", b"")
        self.received += len(piece)
        self.is_done = self.received == self._length or not message.get("more_body", False) or self.received > DRAINED
        if self.received > self._most:
            return 0
        self.pieces.append(piece)
        self.held += len(piece)
        return len(piece)

    def end(self, reason: Unread) -> None:
        """Have the reading of another task end for a reason."""
        self.ended = reason
        self.task.cancel()


def _find_length(headers: Mapping[bytes, bytes]) -> int | None:
    """Return how many bytes are to come, None where only their end will tell."""
    if b"transfer-encoding" in headers:
        return None
    length = headers.get(b"content-length", b"0")
    return int(length) if length.isdigit() else 0
