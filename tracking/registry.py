"""What the door and the evaluator must know at once: sources by key and origin, and what event names mean.

A process keeps a copy and reads it anew after a second, so that a change in the admin holds everywhere within two.
"""

import threading
import time
from datetime import timedelta

import msgspec
from django.conf import settings
from django.db.models import Q

from tracking.gates import load_gates
from tracking.models import AllowedOrigin, EventType, Source
from tracking.schema.fit import Gate
from tracking.sources import hash_secret

FRESH_SECONDS = 1.0
DEFAULT_LATENESS = timedelta(hours=24)
RESERVED = frozenset({"session_ended", "user_inactive", "cart_abandonment"})


class KnownSource(msgspec.Struct, frozen=True, kw_only=True):
    """A source as the door sees it."""

    id: int
    name: str
    write_key: str
    lateness: timedelta
    is_activity: bool
    origins: frozenset[str]


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of the sources and event types."""

    by_id: dict[int, KnownSource]
    by_write_key: dict[str, KnownSource]
    by_secret_hash: dict[str, KnownSource]
    by_origin: dict[str, KnownSource]
    reserved_names: frozenset[str]
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

    def find_secret(self, key: str) -> KnownSource | None:
        """Return the source of a secret key."""
        return self.by_secret_hash.get(hash_secret(key))


_lock = threading.Lock()
_current: Registry | None = None
_read_at = 0.0


def get_registry() -> Registry:
    """Return a reading that is at most a second old."""
    global _current, _read_at
    current = _current
    if current is not None and time.monotonic() - _read_at < FRESH_SECONDS:
        return current
    with _lock:
        if _current is None or time.monotonic() - _read_at >= FRESH_SECONDS:
            _current, _read_at = load_registry(), time.monotonic()
        return _current


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
    # Only the few types that mean something special: discovered names may be many.
    special = Q(is_activity=False) | Q(server_only=True) | Q(is_derived=True)
    marked = list(EventType.objects.filter(special).values_list("name", "is_activity", "server_only", "is_derived"))
    return Registry(
        by_id={source.id: source for source in known},
        by_write_key={source.write_key: source for source in known},
        by_secret_hash={model.secret_hash: source for model, source in zip(sources, known, strict=True)},
        by_origin={origin: source for source in known for origin in source.origins},
        reserved_names=RESERVED | {name for name, _, server_only, derived in marked if server_only or derived},
        passive_names=RESERVED | {name for name, is_activity, _, derived in marked if derived or not is_activity},
        gates=load_gates(),
    )


def _describe(source: Source, origins: frozenset[str]) -> KnownSource:
    return KnownSource(
        id=source.pk,
        name=source.name,
        write_key=source.write_key,
        lateness=source.lateness,
        is_activity=source.is_activity,
        origins=origins,
    )
