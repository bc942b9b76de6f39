"""What the traffic looks like: event names with their properties, and counts by the minute."""

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from engagement.lib.records import pack_rows
from tracking.event import SYSTEM
from tracking.log.read import LoggedEvent
from tracking.log.write import Connection

MAX_PATHS = 200
MAX_SAMPLES = 5
_SAMPLE_LENGTH = 80

_COUNT = """
insert into event_count (minute, lane, source_id, name, received, without_identity)
select minute, lane, source_id, name, received, without_identity from jsonb_to_recordset(%s) as x (
    minute timestamptz, lane smallint, source_id integer, name text, received integer, without_identity integer)
 order by minute, lane, source_id, name
on conflict (minute, lane, source_id, name) do update set
    received = event_count.received + excluded.received,
    without_identity = event_count.without_identity + excluded.without_identity
"""
_DISCOVER = """
insert into tracking_eventtype (name, properties, is_activity, server_only, is_derived, first_seen_at, last_seen_at)
values (%s, %s::jsonb, true, false, false, clock_timestamp(), clock_timestamp())
on conflict (name) do update set last_seen_at = excluded.last_seen_at,
    properties = excluded.properties || tracking_eventtype.properties
"""

_lock = threading.Lock()
_known: dict[str, set[str]] = {}


def count_events(connection: Connection, events: Sequence[LoggedEvent]) -> None:
    """Add events to the counts of their minutes, in the lane's transaction."""
    counts: Counter[tuple[Any, ...]] = Counter()
    lost: Counter[tuple[Any, ...]] = Counter()
    for event in events:
        if event.origin == SYSTEM:
            continue
        key = (event.received_at.replace(second=0, microsecond=0), event.lane, event.source_id or 0, event.name)
        counts[key] += 1
        if event.context.get("$without_identity"):
            lost[key] += 1
    names = ("minute", "lane", "source_id", "name", "received", "without_identity")
    rows = [dict(zip(names, (*key, received, lost[key]), strict=True)) for key, received in counts.items()]
    if rows:
        connection.execute(_COUNT, (pack_rows(rows),))


def discover_types(connection: Connection, events: Iterable[LoggedEvent]) -> None:
    """Note names and properties that this process has not seen before. After the commit: nothing depends on it."""
    for event in events:
        if event.name.startswith("$"):
            continue
        known = _known.get(event.name)
        if known is not None and (len(known) >= MAX_PATHS or known.issuperset(event.properties)):
            continue
        paths = describe_properties(event.properties)
        with _lock:
            _known.setdefault(event.name, set()).update(event.properties)
        connection.execute(_DISCOVER, (event.name, pack_rows(paths)))


def describe_properties(properties: dict[str, Any]) -> dict[str, Any]:
    """Return, for each dotted path, the types and samples seen: {"cart.total": {"types": [...], "samples": [...]}}."""
    described: dict[str, Any] = {}
    _describe(properties, "", described)
    return described


def _describe(value: Any, path: str, described: dict[str, Any]) -> None:
    if len(described) >= MAX_PATHS:
        return
    if isinstance(value, dict):
        for name, child in value.items():
            _describe(child, f"{path}.{_quote(name)}" if path else _quote(name), described)
        return
    if isinstance(value, list):
        for child in value[:MAX_SAMPLES]:
            _describe(child, f"{path}[]", described)
        return
    entry = described.setdefault(path, {"types": [], "samples": []})
    kind = _name_type(value)
    if kind not in entry["types"]:
        entry["types"].append(kind)
    sample = value[:_SAMPLE_LENGTH] if isinstance(value, str) else value
    if len(entry["samples"]) < MAX_SAMPLES and sample not in entry["samples"]:
        entry["samples"].append(sample)


def _quote(name: str) -> str:
    """Names with a dot, bracket or quote stand in double quotes, as in the rules' paths."""
    if any(character in name for character in '."[]\\'):
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return name


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
