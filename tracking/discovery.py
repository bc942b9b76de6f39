"""What the traffic looks like: event names with their properties, and counts by the minute.

Anybody with a public key can make up names: how many become event types is bounded, all in all and for each source and
hour. The others are counted, and the events themselves are stored and decided like any.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from engagement.lib.records import pack_rows
from tracking.event import SYSTEM
from tracking.given_ids import MARK as DROPPED_IDS
from tracking.log.read import LoggedEvent
from tracking.log.write import Connection
from tracking.schema.fit import MARK
from tracking.schema.paths import quote_name

MAX_TYPES = 2_000
MAX_NEW_TYPES = 100
"""That one source may bring in an hour."""
MAX_PATHS = 200
_LISTED = 5
_PAUSE_WHEN_FULL = 60.0

_COUNT = """
insert into event_count (minute, lane, source_id, name, received, without_identity, misfits, dropped_ids,
    dropped_statements)
select minute, lane, source_id, name, received, without_identity, misfits, dropped_ids, dropped_statements
  from jsonb_to_recordset(%s) as x (
    minute timestamptz, lane smallint, source_id integer, name text, received integer, without_identity integer,
    misfits integer, dropped_ids integer, dropped_statements integer)
 order by minute, lane, source_id, name
on conflict (minute, lane, source_id, name) do update set
    received = event_count.received + excluded.received,
    without_identity = event_count.without_identity + excluded.without_identity,
    misfits = event_count.misfits + excluded.misfits,
    dropped_ids = event_count.dropped_ids + excluded.dropped_ids,
    dropped_statements = event_count.dropped_statements + excluded.dropped_statements
"""
_COLUMNS = (
    "minute",
    "lane",
    "source_id",
    "name",
    "received",
    "without_identity",
    "misfits",
    "dropped_ids",
    "dropped_statements",
)
_DISCOVER = """
insert into tracking_eventtype as known (name, properties, found_by, is_activity, server_only, is_derived,
    first_seen_at, last_seen_at)
select %(name)s::text, %(paths)s::jsonb, %(source)s::integer, true, false, false, clock_timestamp(), clock_timestamp()
 where exists (select from tracking_eventtype where name = %(name)s::text)
    or ((select count(*) from tracking_eventtype) < %(most)s
        and (select count(*) from tracking_eventtype
              where found_by = %(source)s::integer and first_seen_at > clock_timestamp() - interval '1 hour')
            < %(most_new)s)
on conflict (name) do update set last_seen_at = excluded.last_seen_at,
    properties = case when (select count(*) from jsonb_object_keys(known.properties)) < %(most_paths)s
        then excluded.properties || known.properties else known.properties end
returning name
"""

_lock = threading.Lock()
_known: dict[str, set[str]] = {}
_full_until: dict[int, float] = {}


def count_events(connection: Connection, events: Sequence[LoggedEvent], unfit: Sequence[LoggedEvent] = ()) -> None:
    """Add events to the counts of their minutes, in the lane's transaction. `unfit` said more of a person than fits."""
    counts: Counter[tuple[Any, ...]] = Counter()
    lost: Counter[tuple[Any, ...]] = Counter()
    misfits: Counter[tuple[Any, ...]] = Counter()
    dropped: Counter[tuple[Any, ...]] = Counter()
    dropped_statements = Counter(_make_key(event) for event in unfit)
    for event in events:
        if event.origin == SYSTEM:
            continue
        key = _make_key(event)
        counts[key] += 1
        if event.context.get("$without_identity"):
            lost[key] += 1
        if MARK in event.context:
            misfits[key] += 1
        if DROPPED_IDS in event.context:
            dropped[key] += 1
    columns = (counts, lost, misfits, dropped, dropped_statements)
    rows = [
        dict(zip(_COLUMNS, (*key, *(counted[key] for counted in columns)), strict=True))
        for key in counts | dropped_statements
    ]
    if rows:
        connection.execute(_COUNT, (pack_rows(rows),))


def _make_key(event: LoggedEvent) -> tuple[Any, ...]:
    return event.received_at.replace(second=0, microsecond=0), event.lane, event.source_id or 0, event.name


def discover_types(connection: Connection, events: Iterable[LoggedEvent]) -> None:
    """Note names and properties that this process has not seen before. After the commit: nothing depends on it."""
    for event in events:
        if event.name.startswith("$"):
            continue
        known = _known.get(event.name)
        if known is not None and (len(known) >= MAX_PATHS or known.issuperset(event.properties)):
            continue
        if known is None and _full_until.get(event.source_id or 0, 0.0) > time.monotonic():
            continue
        if _discover(connection, event):
            with _lock:
                _known.setdefault(event.name, set()).update(event.properties)
        else:
            _full_until[event.source_id or 0] = time.monotonic() + _PAUSE_WHEN_FULL


def is_known(name: str) -> bool:
    """Whether this process has seen a name that is an event type."""
    return name in _known


def _discover(connection: Connection, event: LoggedEvent) -> bool:
    """Note a name and its properties; return whether it is an event type, which a name too many is not."""
    values = {
        "name": event.name,
        "paths": pack_rows(describe_properties(event.properties)),
        "source": event.source_id or 0,
        "most": MAX_TYPES,
        "most_new": MAX_NEW_TYPES,
        "most_paths": MAX_PATHS,
    }
    return connection.execute(_DISCOVER, values).fetchone() is not None


def describe_properties(properties: dict[str, Any]) -> dict[str, Any]:
    """Return, for each dotted path, the types seen: {"cart.total": {"types": ["number"]}}."""
    described: dict[str, Any] = {}
    _describe(properties, "", described)
    return described


def _describe(value: Any, path: str, described: dict[str, Any]) -> None:
    if len(described) >= MAX_PATHS:
        return
    if isinstance(value, dict):
        for name, child in value.items():
            _describe(child, f"{path}.{quote_name(name)}" if path else quote_name(name), described)
        return
    if isinstance(value, list):
        for child in value[:_LISTED]:
            _describe(child, f"{path}[]", described)
        return
    entry = described.setdefault(path, {"types": []})
    kind = _name_type(value)
    if kind not in entry["types"]:
        entry["types"].append(kind)


def _name_type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "empty"


def forget_types() -> None:
    """Note every name anew: for a database that was emptied."""
    with _lock:
        _known.clear()
        _full_until.clear()
