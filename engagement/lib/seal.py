"""Secrets of others that we must be able to say again: kept encrypted, so that a copy of the database gives none away.

The key is made from DJANGO_SECRET_KEY. What was sealed with a former one (SECRET_KEY_FALLBACKS) is still read.
"""

from base64 import urlsafe_b64encode
from hashlib import blake2b

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class SealBroken(Exception):
    """The text was sealed with a key that is not known any more."""


def seal(text: str) -> str:
    """Return a text as it may be stored."""
    return _load_keys().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """Return what was sealed; raises SealBroken."""
    try:
        return _load_keys().decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise SealBroken from None


def _load_keys() -> MultiFernet:
    return MultiFernet([_make_key(str(secret)) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _make_key(secret: str) -> Fernet:
    digest = blake2b(secret.encode(), digest_size=32, person=b"engagement-seal").digest()
    return Fernet(urlsafe_b64encode(digest))
