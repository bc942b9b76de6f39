"""When to try again: growing pauses with a jitter that is computed, so that every worker says the same."""

from datetime import timedelta
from hashlib import blake2b
from uuid import UUID

PAUSES = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=8),
)
BACKOFF = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=5),
    timedelta(minutes=10),
)
_JITTER = 0.2


def compute_pause(identifier: UUID, attempts: int) -> timedelta | None:
    """Return the pause after the `attempts`-th try (from 1), up to a fifth longer; None when no further try is made."""
    if attempts > len(PAUSES):
        return None
    return _lengthen(PAUSES[attempts - 1], identifier, attempts)


def compute_backoff(identifier: UUID, failures: int) -> timedelta:
    """Return the pause after the `failures`-th failure in a row (from 1), up to a fifth longer; the last one recurs."""
    return _lengthen(BACKOFF[min(failures, len(BACKOFF)) - 1], identifier, failures)


def _lengthen(pause: timedelta, identifier: UUID, number: int) -> timedelta:
    digest = blake2b(identifier.bytes + bytes([number % 256]), digest_size=4).digest()
    share = int.from_bytes(digest, "big") / 0xFFFFFFFF
    return pause * (1 + _JITTER * share)
