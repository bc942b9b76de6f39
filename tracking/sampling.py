"""Which events of the log show what their type looks like: the first ones of a name, then one now and then.

Only ids are kept. What an event says is read from the log when somebody looks, so that retention and erasure need to
know nothing of samples.
"""

import threading
import time
from collections.abc import Sequence

from django.db import connection as django_connection

from engagement.lib.records import pack_rows
from tracking.discovery import is_known
from tracking.event import SYSTEM
from tracking.log.read import LoggedEvent
from tracking.log.write import Connection
from tracking.models import Event, EventSample
from tracking.schema.observe import Sample, limit_samples

KEPT = 200
"""Samples of each name and source; some more until the hourly upkeep."""
_AT_ONCE = 100.0
_EACH_SECONDS = 20.0
_ADD = """
insert into event_sample (name, source_id, event_id)
select name, source_id, event_id from jsonb_to_recordset(%s) as x (name text, source_id integer, event_id uuid)
"""
_TRIM = """
delete from event_sample using (
    select id, row_number() over (partition by name, source_id order by id desc) as place from event_sample) ranked
 where ranked.id = event_sample.id and place > %s
"""

_lock = threading.Lock()
_allowances: dict[tuple[str, int], tuple[float, float]] = {}


def sample_events(connection: Connection, events: Sequence[LoggedEvent]) -> None:
    """Note some of a batch's events as samples. After the commit: nothing depends on it."""
    now = time.monotonic()
    chosen = [event for event in events if event.origin != SYSTEM and is_known(event.name) and _is_due(event, now)]
    if chosen:
        rows = [{"name": event.name, "source_id": event.source_id or 0, "event_id": event.id} for event in chosen]
        connection.execute(_ADD, (pack_rows(rows),))


def load_samples(name: str, limit: int = KEPT) -> list[Event]:
    """Return the newest samples of a name that are still in the log, the newest first."""
    newest = EventSample.objects.filter(name=name).order_by("-id").values_list("event_id", flat=True)
    ids = list(newest[:limit])
    found = Event.objects.in_bulk(ids)
    return [found[identifier] for identifier in ids if identifier in found]


def read_samples(name: str) -> list[Sample]:
    """Return what the newest samples of a name say, the newest first: fewer where they hold very much."""
    return limit_samples([Sample(event.source_id or 0, event.properties) for event in load_samples(name)])


def trim_samples() -> None:
    """Delete all but the newest samples of each name and source."""
    with django_connection.cursor() as cursor:
        cursor.execute(_TRIM, [KEPT])


def forget_allowances() -> None:
    """Begin anew: for a database that was emptied."""
    with _lock:
        _allowances.clear()


def _is_due(event: LoggedEvent, now: float) -> bool:
    """Whether a name's allowance, which fills up with time, has room for one more."""
    key = (event.name, event.source_id or 0)
    with _lock:
        left, since = _allowances.get(key, (_AT_ONCE, now))
        left = min(left + (now - since) / _EACH_SECONDS, _AT_ONCE)
        is_due = left >= 1.0
        _allowances[key] = (left - is_due, now)
    return is_due
