"""Sources: making them and their keys."""

import hashlib
import secrets
from collections.abc import Iterable

import msgspec
from django.db import transaction

from tracking.models import AllowedOrigin, Source


class SourceKeys(msgspec.Struct, frozen=True, kw_only=True):
    """A new source's keys. The secret key is shown here once: only its hash is kept."""

    name: str
    write_key: str
    secret_key: str


def create_source(name: str, origins: Iterable[str] = ()) -> tuple[Source, SourceKeys]:
    """Make a source that pages of `origins` may use without a key.

    Raises django.db.IntegrityError when the name or an origin is taken.
    """
    keys = SourceKeys(name=name, write_key=f"wk_{secrets.token_urlsafe(24)}", secret_key=make_secret_key())
    with transaction.atomic():
        source = Source.objects.create(
            name=name,
            write_key=keys.write_key,
            secret_prefix=keys.secret_key[:8],
            secret_hash=hash_secret(keys.secret_key),
        )
        AllowedOrigin.objects.bulk_create(AllowedOrigin(source=source, origin=origin) for origin in origins)
    return source, keys


def replace_secret_key(source: Source) -> str:
    """Give a source a new secret key, return it once, and refuse the old one from now on."""
    secret_key = make_secret_key()
    source.secret_prefix, source.secret_hash = secret_key[:8], hash_secret(secret_key)
    source.save(update_fields=["secret_prefix", "secret_hash"])
    return secret_key


def make_secret_key() -> str:
    """Draw a secret key with 256 random bits."""
    return f"sk_{secrets.token_urlsafe(32)}"


def hash_secret(secret_key: str) -> str:
    """Return the SHA-256 of a key, in hex."""
    return hashlib.sha256(secret_key.encode()).hexdigest()
