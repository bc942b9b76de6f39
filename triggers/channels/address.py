"""Addresses without the address: a keyed hash, for suppressions and counts."""

from django.conf import settings
from django.utils.crypto import salted_hmac

_SALT = "triggers.channels.address"


def hash_address(channel: str, address: str) -> str:
    """Return the keyed hash of an address, whatever its case; 64 hex digits."""
    digest: str = salted_hmac(
        _SALT, f"{channel}:{address.strip().lower()}", secret=settings.ADDRESS_HASH_KEY, algorithm="sha256"
    ).hexdigest()
    return digest
