"""Profile ids without the profile: keyed hashes, by which a tombstone is found and from which nobody is.

A profile's id is a hash of the person's own id without a key: who has a list of user ids could look it up. So nothing
that stays after an erasure holds it.
"""

import hashlib
import hmac
from functools import lru_cache
from uuid import UUID

from django.conf import settings

_SALT = b"tracking.erasure.profile:"


def hash_profile(profile_id: UUID) -> UUID:
    """Return the keyed hash (HMAC-SHA-256 with ADDRESS_HASH_KEY, 128 bits of it) of a profile's id."""
    return UUID(bytes=hmac.digest(_derive_key(settings.ADDRESS_HASH_KEY), profile_id.bytes, "sha256")[:16])


@lru_cache(maxsize=4)
def _derive_key(secret: str) -> bytes:
    return hashlib.sha256(_SALT + secret.encode()).digest()
