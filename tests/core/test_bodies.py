"""Bodies under way: bounded in time, in number and in bytes."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from engagement.bodies import Bodies
from tests.loops import run_beside
from tracking.api.async_shell import Unread


class Sender:
    """A client that sends pieces, each once it is asked for, and then nothing more."""

    def __init__(self, *pieces: bytes, ends: bool = True) -> None:
        self._pieces, self._ends = list(pieces), ends

    async def __call__(self) -> Mapping[str, Any]:
        if not self._pieces:
            await asyncio.Event().wait()
        piece = self._pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self._pieces) or not self._ends}


async def hang_up() -> Mapping[str, Any]:
    return {"type": "http.disconnect"}


CHUNKED = {b"transfer-encoding": b"chunked"}


def read(*senders: Any, length: int | None, most: int = 100, **limits: Any) -> Sequence[bytes | Unread]:
    bodies = Bodies(**limits)
    headers = CHUNKED if length is None else {b"content-length": b"%d" % length}

    async def run() -> Sequence[bytes | Unread]:
        return await asyncio.gather(*(bodies.read(headers, sender, most) for sender in senders))

    return run_beside(run())


def test_a_body_is_read_whole_however_it_comes() -> None:
    assert read(Sender(b"ab", b"c", ends=False), Sender(b"abc"), length=3) == [b"abc", b"abc"]
    assert read(Sender(b"ab", b"", b"c"), Sender(b""), length=None) == [b"abc", b""]


def test_a_request_without_a_body_is_not_waited_for() -> None:
    assert read(Sender(), length=0) == [b""]


def test_a_body_that_is_too_large_is_not_read_or_not_kept() -> None:
    assert read(Sender(), length=6_000_001) == [Unread.TOO_LARGE]
    assert read(Sender(b"x" * 60, b"x" * 41), length=101, most_bytes=50) == [Unread.TOO_LARGE]
    assert read(Sender(b"x" * 60, b"x" * 60), Sender(b"x" * 100), length=None) == [Unread.TOO_LARGE, b"x" * 100]


def test_a_body_that_does_not_come_is_not_waited_for_long() -> None:
    assert read(Sender(b"a", ends=False), hang_up, length=3, seconds=0.05) == [Unread.TOO_SLOW, Unread.GONE]


def test_the_one_that_was_waited_for_longest_makes_room() -> None:
    slow = [Sender(b"a", ends=False) for _ in range(3)]

    told = read(*slow, Sender(b"abc"), length=3, seconds=0.2, most_waiting=2)

    assert told == [Unread.CROWDED, Unread.CROWDED, Unread.TOO_SLOW, b"abc"]


def test_bodies_under_way_hold_only_so_many_bytes() -> None:
    slow = [Sender(b"x" * 40, ends=False) for _ in range(3)]

    assert read(*slow, length=90, seconds=0.2, most_bytes=100) == [Unread.CROWDED, Unread.TOO_SLOW, Unread.TOO_SLOW]


def test_room_is_given_back() -> None:
    bodies = Bodies(most_bytes=100)

    async def run() -> list[bytes | Unread]:
        told = []
        for sender in (Sender(b"x" * 60), Sender(b"x" * 60), hang_up, Sender(b"x" * 60)):
            told.append(await bodies.read({b"content-length": b"60"}, sender, 100))
            bodies.release(told[-1])
        return told

    assert run_beside(run()) == [b"x" * 60, b"x" * 60, Unread.GONE, b"x" * 60]
