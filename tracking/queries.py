"""What other applications may ask the log about a person."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from tracking.log.read import EVENT_COLUMNS, LoggedEvent
from tracking.log.write import Connection

_LAST_ACTIVITY = f"""
select {EVENT_COLUMNS} from event
 where profile_id = any(%s) and seq < %s and received_at >= %s and origin in (0, 1) and left(name, 1) <> '$'
   and name <> all(%s) and (source_id is null or source_id <> all(%s))
 order by origin, case when origin = 1 then occurred_at end desc, seq desc limit 1
"""
_RECENT_ACTIVITY = f"""
select {EVENT_COLUMNS} from event
 where profile_id = any(%s) and seq <= %s and origin in (0, 1) and left(name, 1) <> '$'
   and name <> all(%s) and (source_id is null or source_id <> all(%s))
 order by id desc limit %s
"""
_NAMED_SINCE = f"""
select {EVENT_COLUMNS} from event
 where profile_id = any(%s) and name = %s and (seq > %s or occurred_at >= %s)
 order by seq limit %s
"""
_NAMED_BEFORE = f"""
select {EVENT_COLUMNS} from event
 where profile_id = any(%s) and name = any(%s) and seq <= %s order by seq desc limit %s
"""
_ONE = f"select {EVENT_COLUMNS} from event where id = %s and lane = %s"


def find_event(connection: Connection, event_id: UUID, lane: int) -> LoggedEvent | None:
    """Return one event, or None when retention or erasure took it."""
    row = connection.execute(_ONE, (event_id, lane)).fetchone()
    return LoggedEvent(*row) if row else None


def find_named_before(
    connection: Connection, profile_ids: Sequence[UUID], names: Sequence[str], *, until_seq: int, limit: int
) -> list[LoggedEvent]:
    """Return a person's latest events of some names up to a position of the log, newest first."""
    rows = connection.execute(_NAMED_BEFORE, (list(profile_ids), list(names), until_seq, limit)).fetchall()
    return [LoggedEvent(*row) for row in rows]


def find_last_activity(
    connection: Connection,
    profile_ids: Sequence[UUID],
    *,
    before_seq: int,
    since: datetime,
    passive_names: Sequence[str],
    passive_sources: Sequence[int],
) -> LoggedEvent | None:
    """Return the last activity of a person received since a moment, among those below a position of the log.

    Imported history only for somebody who has done nothing since.
    """
    parameters = (list(profile_ids), before_seq, since, list(passive_names), list(passive_sources))
    row = connection.execute(_LAST_ACTIVITY, parameters).fetchone()
    return LoggedEvent(*row) if row else None


def find_recent_activity(
    connection: Connection,
    profile_ids: Sequence[UUID],
    *,
    until_seq: int,
    passive_names: Sequence[str],
    passive_sources: Sequence[int],
    limit: int = 500,
) -> list[LoggedEvent]:
    """Return a person's latest activities up to a position of the log, newest first."""
    parameters = (list(profile_ids), until_seq, list(passive_names), list(passive_sources), limit)
    events = [LoggedEvent(*row) for row in connection.execute(_RECENT_ACTIVITY, parameters).fetchall()]
    # The index gives them by the client's clock; in one millisecond only the log knows the order.
    return sorted(events, key=lambda event: event.seq, reverse=True)


def find_named_events(
    connection: Connection, profile_ids: Sequence[UUID], name: str, *, after_seq: int, since: datetime, limit: int = 100
) -> list[LoggedEvent]:
    """Return a person's events of a name that were logged after a position or happened at or after a moment."""
    parameters = (list(profile_ids), name, after_seq, since, limit)
    return [LoggedEvent(*row) for row in connection.execute(_NAMED_SINCE, parameters).fetchall()]
