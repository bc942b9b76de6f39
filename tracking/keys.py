"""Keys of sources: made, replaced while the old one still holds, and revoked."""

import hashlib
import re
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

import msgspec
from django.db import IntegrityError, transaction
from django.db.models import Q

from tracking.models import DEFAULT_SCOPES, KeyKind, Scope, Source, SourceKey

_PREFIXES = {KeyKind.PUBLIC: "wk_", KeyKind.SECRET: "sk_", KeyKind.IDENTITY: "ids_", KeyKind.SIGNING: "sgs_"}
_SHOWN = 8
_FOREIGN = re.compile(r"[!-~]{4,255}")


class KeyRefused(Exception):
    """A key cannot be made or added: the message says why, for a person."""


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key and its value. That of a secret key is shown once, here: only its hash is kept."""

    key: SourceKey
    value: str


def make_key(source: Source, kind: KeyKind, *, label: str = "", scopes: Collection[str] = DEFAULT_SCOPES) -> NewKey:
    """Give a source one more key. `scopes` are what a secret one may do."""
    value = make_value(kind)
    is_secret = kind == KeyKind.SECRET
    key = SourceKey.objects.create(
        source=source,
        kind=kind,
        value=None if is_secret else value,
        secret_hash=hash_secret(value) if is_secret else None,
        prefix=value[:_SHOWN],
        label=label,
        scopes=[scope.value for scope in Scope if scope.value in scopes] if is_secret else [],
    )
    return NewKey(key=key, value=value)


def add_foreign_key(source: Source, value: str, *, label: str = "") -> SourceKey:
    """Take a value that a team's clients carry already as a public key; raises KeyRefused."""
    value = value.strip()
    if not _FOREIGN.fullmatch(value):
        raise KeyRefused("A key has 4 to 255 characters: letters, digits and signs, without spaces.")
    if value.startswith(tuple(_PREFIXES.values())):
        raise KeyRefused("This looks like a key of this platform: it makes its own, and a secret one is never public.")
    try:
        with transaction.atomic():
            return SourceKey.objects.create(
                source=source, kind=KeyKind.PUBLIC, value=value, prefix=value[:_SHOWN], is_foreign=True, label=label
            )
    except IntegrityError:
        owner = SourceKey.objects.filter(value=value, revoked_at=None).select_related("source").get().source
        raise KeyRefused(f"The source {owner} has this key already: a key tells one source only.") from None


def rotate_key(key: SourceKey, *, now: datetime, overlap: timedelta) -> NewKey:
    """Make a new key of the same kind and scopes.

    The old one holds until `overlap` has passed, or until its own end if sooner.
    """
    with transaction.atomic():
        made = make_key(key.source, KeyKind(key.kind), label=key.label, scopes=key.scopes)
        ends = Q(expires_at=None) | Q(expires_at__gt=now + overlap)
        SourceKey.objects.filter(ends, pk=key.pk).update(expires_at=now + overlap)
    return made


def revoke_key(key: SourceKey, *, now: datetime) -> None:
    """Refuse a key from now on: every process knows within a second."""
    SourceKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now)


def make_value(kind: KeyKind) -> str:
    """Draw a key: a public one has 192 random bits, a secret one 256."""
    return _PREFIXES[kind] + secrets.token_urlsafe(24 if kind == KeyKind.PUBLIC else 32)


def hash_secret(secret_key: str) -> str:
    """Return the SHA-256 of a key, in hex."""
    return hashlib.sha256(secret_key.encode()).hexdigest()
