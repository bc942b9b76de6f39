"""What the door and the evaluator must know at once: sources by key and origin, and what event names mean.

A process keeps a copy and reads it anew when it is half a second old, so that a change in the admin, such as a revoked
key, holds in every process within a second.
"""

import threading
import time
from datetime import timedelta

import msgspec
from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from tracking.gates import load_gates
from tracking.keys import hash_secret
from tracking.models import AllowedOrigin, EventType, Source, SourceKey
from tracking.schema.fit import Gate

FRESH_SECONDS = 0.4
OLDEST_SECONDS = 0.8
"""Between the two, one thread reads anew and the others go on with what is known; beyond it all of them wait."""
DEFAULT_LATENESS = timedelta(hours=24)
RESERVED = frozenset({"session_ended", "user_inactive", "cart_abandonment"})


class KnownSource(msgspec.Struct, frozen=True, kw_only=True):
    """A source as the door sees it."""

    id: int
    name: str
    lateness: timedelta
    is_activity: bool
    origins: frozenset[str]


class KnownKey(msgspec.Struct, frozen=True):
    """A key that holds, and whose it is."""

    id: int
    source: KnownSource


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of the sources and event types."""

    by_id: dict[int, KnownSource]
    by_public_key: dict[str, KnownKey]
    by_secret_hash: dict[str, KnownKey]
    by_origin: dict[str, KnownSource]
    reserved_names: frozenset[str]
    server_only_names: frozenset[str]
    passive_names: frozenset[str]
    gates: dict[str, Gate] = {}

    @property
    def passive_source_ids(self) -> list[int]:
        """The sources whose events do not show that a person is active."""
        return sorted(source.id for source in self.by_id.values() if not source.is_activity)

    @property
    def reach(self) -> timedelta:
        """How far back events are reliable: as long as they are kept, less how late the latest of them may come."""
        lateness = max((source.lateness for source in self.by_id.values()), default=DEFAULT_LATENESS)
        return timedelta(days=settings.RETENTION_DAYS) - lateness

    def find_lateness(self, source_id: int | None) -> timedelta:
        """Return how late on arrival an event of a source may be and still start a rule."""
        source = self.by_id.get(source_id or 0)
        return source.lateness if source is not None else DEFAULT_LATENESS

    def find_secret(self, key: str) -> KnownKey | None:
        """Return what is known of a secret key."""
        return self.by_secret_hash.get(hash_secret(key))


_lock = threading.Lock()
_current: Registry | None = None
_read_at = 0.0


def get_registry() -> Registry:
    """Return a reading that was begun less than a second ago."""
    current, age = _current, time.monotonic() - _read_at
    if current is not None and age < FRESH_SECONDS:
        return current
    if not _lock.acquire(blocking=current is None or age >= OLDEST_SECONDS):
        assert current is not None
        return current
    try:
        return _read_anew()
    finally:
        _lock.release()


def _read_anew() -> Registry:
    global _current, _read_at
    current = _current
    if current is None or time.monotonic() - _read_at >= FRESH_SECONDS:
        begun = time.monotonic()
        _current = current = load_registry()
        _read_at = begun
    return current


def forget_registry() -> None:
    """Make the next use read anew: after a change in this process."""
    global _current
    _current = None


def load_registry() -> Registry:
    """Read sources, origins and event types."""
    origins: dict[int, set[str]] = {}
    for source_id, origin in AllowedOrigin.objects.values_list("source_id", "origin"):
        origins.setdefault(source_id, set()).add(origin)
    sources = list(Source.objects.filter(is_enabled=True))
    known = [_describe(source, frozenset(origins.get(source.pk, ()))) for source in sources]
    keys = _load_keys({source.id: source for source in known})
    # Only the few types that mean something special: discovered names may be many.
    special = Q(is_activity=False) | Q(server_only=True) | Q(is_derived=True)
    marked = list(EventType.objects.filter(special).values_list("name", "is_activity", "server_only", "is_derived"))
    return Registry(
        by_id={source.id: source for source in known},
        by_public_key={value: key for value, _, key in keys if value is not None},
        by_secret_hash={secret_hash: key for _, secret_hash, key in keys if secret_hash is not None},
        by_origin={origin: source for source in known for origin in source.origins},
        reserved_names=RESERVED | {name for name, _, _, derived in marked if derived},
        server_only_names=frozenset(name for name, _, server_only, _ in marked if server_only),
        passive_names=RESERVED | {name for name, is_activity, _, derived in marked if derived or not is_activity},
        gates=load_gates(),
    )


def _load_keys(sources: dict[int, KnownSource]) -> list[tuple[str | None, str | None, KnownKey]]:
    """Return (value, hash, key) of the keys that hold now: the database's clock says so."""
    holds = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=Now()))
    rows = SourceKey.objects.filter(holds).values_list("value", "secret_hash", "pk", "source_id")
    return [
        (value, secret_hash, KnownKey(key_id, sources[source_id]))
        for value, secret_hash, key_id, source_id in rows
        if source_id in sources
    ]


def _describe(source: Source, origins: frozenset[str]) -> KnownSource:
    return KnownSource(
        id=source.pk,
        name=source.name,
        lateness=source.lateness,
        is_activity=source.is_activity,
        origins=origins,
    )
