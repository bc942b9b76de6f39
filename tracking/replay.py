"""Signatures that were seen: each is good for one request. Known to all processes through Valkey.

While that is away each process knows only those that it has seen itself: within the five minutes of a signature, a copy
could then pass once in every other process.
"""

import hashlib
import threading
import time

from tracking.signature import WINDOW_SECONDS
from tracking.valkey import ValkeyLink

REMEMBERED_SECONDS = 2 * WINDOW_SECONDS + 10
"""A signature may be from as far ahead as it may be old."""
_MOST_REMEMBERED = 100_000


class SeenSignatures:
    """What was seen, in this process and through `link` in all. Safe for threads."""

    def __init__(self, link: ValkeyLink) -> None:
        self._link = link
        self._lock = threading.Lock()
        self._young: set[str] = set()
        self._old: set[str] = set()
        self._turned_at = time.monotonic()

    def note(self, source_id: int, signature: str) -> bool:
        """Note a signature; return whether it is new."""
        name = _name(source_id, signature)
        with self._lock:
            self._turn()
            if name in self._young or name in self._old:
                return False
            self._young.add(name)
        client = self._link.client
        answer = self._link.ask(lambda: (client.set(name, 1, nx=True, ex=REMEMBERED_SECONDS),))
        return answer is None or bool(answer[0])

    def forget(self, source_id: int, signature: str) -> None:
        """What was not stored may come again as it is."""
        name = _name(source_id, signature)
        with self._lock:
            self._young.discard(name)
            self._old.discard(name)
        self._link.ask(lambda: self._link.client.delete(name))

    def _turn(self) -> None:
        if time.monotonic() - self._turned_at > REMEMBERED_SECONDS or len(self._young) >= _MOST_REMEMBERED:
            self._old, self._young, self._turned_at = self._young, set(), time.monotonic()


def _name(source_id: int, signature: str) -> str:
    return f"signed:{source_id}:{hashlib.blake2b(signature.encode(), digest_size=16).hexdigest()}"
