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
_JITTER = 0.2


def compute_pause(identifier: UUID, attempts: int) -> timedelta | None:
    """Return the pause after the `attempts`-th try (from 1), up to a fifth longer; None when no further try is made."""
    if attempts > len(PAUSES):
        return None
    digest = blake2b(identifier.bytes + bytes([attempts]), digest_size=4).digest()
    share = int.from_bytes(digest, "big") / 0xFFFFFFFF
    return PAUSES[attempts - 1] * (1 + _JITTER * share)
