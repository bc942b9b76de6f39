"""What the door and the evaluator must know at once: sources by key and origin, and what event names mean.

A process keeps a copy and reads it anew when it is half a second old, so that a change in the admin, such as a revoked
key, holds in every process within a second.
"""

import threading
import time
from datetime import timedelta
from typing import NamedTuple

import msgspec
from django.conf import settings
from django.db import Error, OperationalError
from django.db.models import Q
from django.db.models.functions import Now

from tracking.addresses import AddressPolicy
from tracking.gates import load_gates
from tracking.keys import hash_secret
from tracking.limits.limit import Limits, Subject, make_limits
from tracking.models import AllowedOrigin, EventType, KeyKind, Source, SourceKey
from tracking.origins import list_patterns
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
    address_policy: AddressPolicy
    demands_user_hash: bool
    identity_secrets: tuple[bytes, ...]
    limits: Limits | None
    demands_signature: bool
    signing_secrets: tuple[bytes, ...]

    @property
    def keeps_addresses(self) -> bool:
        """Whether whole addresses may be kept."""
        return self.address_policy == AddressPolicy.KEEP

    def allows(self, origin: str) -> bool:
        """Whether pages of an origin may send."""
        return origin in self.origins or any(pattern in self.origins for pattern in list_patterns(origin))


class KnownKey(msgspec.Struct, frozen=True):
    """A key that holds, whose it is, and what it may do."""

    id: int
    source: KnownSource
    scopes: frozenset[str] = frozenset()


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
    def source_names(self) -> dict[int, str]:
        """The sources' names by id."""
        return {source.id: source.name for source in self.by_id.values()}

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

    def find_page(self, origin: str) -> KnownSource | None:
        """Return the source that allows pages of an origin: the one that names it most particularly."""
        found = self.by_origin.get(origin)
        if found is not None:
            return found
        return next((self.by_origin[one] for one in list_patterns(origin) if one in self.by_origin), None)

    def find_secret(self, key: str) -> KnownKey | None:
        """Return what is known of a secret key."""
        return self.by_secret_hash.get(hash_secret(key))


_lock = threading.Lock()
_current: Registry | None = None
_read_at = 0.0
_failed_at = 0.0


def get_registry() -> Registry:
    """Return a reading that was begun less than a second ago.

    Raises django.db.Error while the database is away.
    """
    now = time.monotonic()
    current, age = _current, now - _read_at
    if current is not None and age < FRESH_SECONDS:
        return current
    if not _lock.acquire(blocking=current is None or age >= OLDEST_SECONDS):
        assert current is not None
        return current
    try:
        return _read_anew(now)
    finally:
        _lock.release()


def peek_registry() -> tuple[Registry | None, float]:
    """Return the last reading and its age in seconds, without a look at the database."""
    return _current, time.monotonic() - _read_at


def _read_anew(asked_at: float) -> Registry:
    """Read, unless somebody else has since `asked_at`; who waited for a reading that failed need not wait for more."""
    global _current, _read_at, _failed_at
    current = _current
    if current is not None and time.monotonic() - _read_at < FRESH_SECONDS:
        return current
    if _failed_at > asked_at:
        raise OperationalError("The database was away a moment ago.")
    begun = time.monotonic()
    try:
        _current = current = load_registry()
    except Error:
        _failed_at = time.monotonic()
        raise
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
    rows = _load_keys()
    known = [_describe(source, frozenset(origins.get(source.pk, ())), rows) for source in sources]
    by_id = {source.id: source for source in known}
    keys = [
        (row, KnownKey(row.id, by_id[row.source_id], frozenset(row.scopes))) for row in rows if row.source_id in by_id
    ]
    # Only the few types that mean something special: discovered names may be many.
    special = Q(is_activity=False) | Q(server_only=True) | Q(is_derived=True)
    marked = list(EventType.objects.filter(special).values_list("name", "is_activity", "server_only", "is_derived"))
    return Registry(
        by_id=by_id,
        by_public_key={row.value: key for row, key in keys if row.kind == KeyKind.PUBLIC and row.value is not None},
        by_secret_hash={row.secret_hash: key for row, key in keys if row.secret_hash is not None},
        by_origin={origin: source for source in known for origin in source.origins},
        reserved_names=RESERVED | {name for name, _, _, derived in marked if derived},
        server_only_names=frozenset(name for name, _, server_only, _ in marked if server_only),
        passive_names=RESERVED | {name for name, is_activity, _, derived in marked if derived or not is_activity},
        gates=load_gates(),
    )


class _KeyRow(NamedTuple):
    id: int
    source_id: int
    kind: str
    value: str | None
    secret_hash: str | None
    scopes: list[str]


def _load_keys() -> list[_KeyRow]:
    """Return the keys that hold now: the database's clock says so."""
    holds = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=Now()))
    rows = SourceKey.objects.filter(holds).values_list("pk", "source_id", "kind", "value", "secret_hash", "scopes")
    return [_KeyRow(*row) for row in rows]


def _describe(source: Source, origins: frozenset[str], keys: list[_KeyRow]) -> KnownSource:
    own = [key for key in keys if key.source_id == source.pk and key.value is not None]
    return KnownSource(
        id=source.pk,
        name=source.name,
        lateness=source.lateness,
        is_activity=source.is_activity,
        origins=origins,
        address_policy=AddressPolicy(source.address_policy),
        demands_user_hash=source.demands_user_hash,
        limits=make_limits(
            {
                Subject.SOURCE: (source.source_rate, source.source_burst),
                Subject.ADDRESS: (source.address_rate, source.address_burst),
                Subject.PERSON: (source.person_rate, source.person_burst),
            }
        ),
        identity_secrets=_list_values(own, KeyKind.IDENTITY),
        demands_signature=source.demands_signature,
        signing_secrets=_list_values(own, KeyKind.SIGNING),
    )


def _list_values(keys: list[_KeyRow], kind: KeyKind) -> tuple[bytes, ...]:
    return tuple((key.value or "").encode() for key in keys if key.kind == kind)
