"""What other applications may ask the log about a person."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from engagement.lib.ids import compute_boundary, read_moment
from tracking.log.read import EVENT_COLUMNS, LoggedEvent
from tracking.log.write import Connection
from tracking.profiles import Spans

# One look into event_profile_id for each profile: behind `offset 0` no plan begins with the events instead, which one
# without statistics would.
_OF_PERSON = f"""unnest(%s::uuid[], %s::bigint[], %s::bigint[]) as span (profile, since_seq, until_seq)
 cross join lateral (
    select {EVENT_COLUMNS} from event
     where profile_id = span.profile and seq > span.since_seq and seq <= span.until_seq offset 0) own"""
_LAST_ACTIVITY = f"""
select {EVENT_COLUMNS} from {_OF_PERSON}
 where seq < %s and received_at >= %s and origin in (0, 1) and left(name, 1) <> '$'
   and name <> all(%s) and (source_id is null or source_id <> all(%s))
 order by origin, case when origin = 1 then occurred_at end desc, seq desc limit 1
"""
_RECENT_ACTIVITY = f"""
select {EVENT_COLUMNS} from {_OF_PERSON}
 where seq <= %s and origin in (0, 1) and left(name, 1) <> '$'
   and name <> all(%s) and (source_id is null or source_id <> all(%s))
 order by id desc limit %s
"""
_NAMED_SINCE = f"""
select {EVENT_COLUMNS} from {_OF_PERSON}
 where name = %s and (seq > %s or occurred_at >= %s)
 order by seq limit %s
"""
_NAMED_BEFORE = f"""
select {EVENT_COLUMNS} from {_OF_PERSON}
 where name = any(%s) and seq <= %s order by seq desc limit %s
"""
_POINTER = """
select seq from event
 where profile_id = %s and id >= %s and name = '$follow' and properties ->> 'event' = %s order by seq limit 1
"""
_BY_ID = f"select {EVENT_COLUMNS} from event where id = any(%s)"


def find_events(connection: Connection, event_ids: Sequence[UUID]) -> dict[UUID, LoggedEvent]:
    """Return events by id; those that retention or erasure took are lacking."""
    rows = connection.execute(_BY_ID, (list(event_ids),)).fetchall()
    return {event.id: event for row in rows if (event := LoggedEvent(*row))}


def find_place(connection: Connection, event: LoggedEvent, profile_id: UUID) -> tuple[UUID, int]:
    """Return whose lane decided an event of somebody, and where: the person's own where a pointer led it there."""
    lower = compute_boundary(read_moment(event.id))
    row = connection.execute(_POINTER, (profile_id, lower, str(event.id))).fetchone()
    return (profile_id, row[0]) if row is not None else (event.profile_id, event.seq)


def find_named_before(
    connection: Connection, person: Spans, names: Sequence[str], *, until_seq: int, limit: int
) -> list[LoggedEvent]:
    """Return a person's latest events of some names up to a position of the log, newest first."""
    rows = connection.execute(_NAMED_BEFORE, (*_split(person), list(names), until_seq, limit)).fetchall()
    return [LoggedEvent(*row) for row in rows]


def find_last_activity(
    connection: Connection,
    person: Spans,
    *,
    before_seq: int,
    since: datetime,
    passive_names: Sequence[str],
    passive_sources: Sequence[int],
) -> LoggedEvent | None:
    """Return the last activity of a person received since a moment, among those below a position of the log.

    Imported history only for somebody who has done nothing since.
    """
    parameters = (*_split(person), before_seq, since, list(passive_names), list(passive_sources))
    row = connection.execute(_LAST_ACTIVITY, parameters).fetchone()
    return LoggedEvent(*row) if row else None


def find_recent_activity(
    connection: Connection,
    person: Spans,
    *,
    until_seq: int,
    passive_names: Sequence[str],
    passive_sources: Sequence[int],
    limit: int = 500,
) -> list[LoggedEvent]:
    """Return a person's latest activities up to a position of the log, newest first."""
    parameters = (*_split(person), until_seq, list(passive_names), list(passive_sources), limit)
    events = [LoggedEvent(*row) for row in connection.execute(_RECENT_ACTIVITY, parameters).fetchall()]
    # The index gives them by the client's clock; in one millisecond only the log knows the order.
    return sorted(events, key=lambda event: event.seq, reverse=True)


def find_named_events(
    connection: Connection, person: Spans, name: str, *, after_seq: int, since: datetime, limit: int = 100
) -> list[LoggedEvent]:
    """Return a person's events of a name that were logged after a position or happened at or after a moment."""
    parameters = (*_split(person), name, after_seq, since, limit)
    return [LoggedEvent(*row) for row in connection.execute(_NAMED_SINCE, parameters).fetchall()]


def _split(person: Spans) -> tuple[list[UUID], list[int], list[int]]:
    return [span[0] for span in person], [span[1] for span in person], [span[2] for span in person]
