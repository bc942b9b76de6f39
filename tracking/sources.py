"""Sources: making them with their first keys."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

import msgspec
from django.db import transaction

from tracking.keys import make_key
from tracking.models import DEFAULT_SCOPES, AllowedOrigin, KeyKind, Source
from tracking.origins import clean_origin


class SourceKeys(msgspec.Struct, frozen=True, kw_only=True):
    """A new source's keys. The secret key is shown here once: only its hash is kept."""

    name: str
    write_key: str
    secret_key: str


def create_source(
    name: str, origins: Iterable[str] = (), scopes: Collection[str] = DEFAULT_SCOPES
) -> tuple[Source, SourceKeys]:
    """Make a source that pages of `origins` may use without a key; `scopes` are what its secret key may do.

    Raises django.db.IntegrityError when the name or an origin is taken, OriginRefused when one is none.
    """
    with transaction.atomic():
        source = Source.objects.create(name=name)
        cleaned = dict.fromkeys(clean_origin(origin) for origin in origins)
        AllowedOrigin.objects.bulk_create(AllowedOrigin(source=source, origin=origin) for origin in cleaned)
        return source, make_first_keys(source, scopes)


def make_first_keys(source: Source, scopes: Collection[str] = DEFAULT_SCOPES) -> SourceKeys:
    """Give a new source a public and a secret key."""
    public, secret = make_key(source, KeyKind.PUBLIC), make_key(source, KeyKind.SECRET, scopes=scopes)
    return SourceKeys(name=source.name, write_key=public.value, secret_key=secret.value)


def ensure_secrets(source: Source) -> None:
    """Make the secrets that a source's settings need and that it lacks."""
    needs = {KeyKind.IDENTITY: source.demands_user_hash, KeyKind.SIGNING: source.demands_signature}
    now = datetime.now(UTC)
    holding = {key.kind for key in source.keys.all() if key.holds(now)}
    for kind, is_needed in needs.items():
        if is_needed and kind not in holding:
            make_key(source, kind)
