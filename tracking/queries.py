"""What other applications may ask the log about a person."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from engagement.lib.ids import compute_boundary, read_moment
from engagement.lib.records import pack_rows
from tracking.event import IMPORT, compute_anonymous_profile_id
from tracking.log.read import EVENT_COLUMNS, LoggedEvent
from tracking.log.write import Connection
from tracking.profiles import Spans

_DAY = timedelta(days=1)
# One look into event_profile_id for each profile: behind `offset 0` no plan begins with the events instead, which one
# without statistics would.
_OF_PERSON = f"""unnest(%s::uuid[], %s::bigint[], %s::bigint[]) as span (profile, since_seq, until_seq)
 cross join lateral (
    select {EVENT_COLUMNS} from event
     where profile_id = span.profile and seq > span.since_seq and seq <= span.until_seq offset 0) own"""
# As tracking.profiles has it: history counts that says when it happened. The order is that of LoggedEvent.active_at.
_SHOWS_ACTIVITY = "(origin = 0 or origin = 1 and occurred_at < received_at) and left(name, 1) <> '$'"
_LAST_ACTIVITIES = f"""
select q.n, last.* from jsonb_to_recordset(%(people)s) as q (n integer, profiles uuid[], froms bigint[],
       untils bigint[], since timestamptz)
 cross join lateral (
    select own.* from unnest(q.profiles, q.froms, q.untils) as span (profile, since_seq, until_seq)
     cross join lateral (
        select {EVENT_COLUMNS} from event
         where profile_id = span.profile and seq > span.since_seq and seq <= span.until_seq offset 0) own
     where seq < %(before_seq)s and received_at >= q.since and {_SHOWS_ACTIVITY}
       and name <> all(%(passive_names)s) and (source_id is null or source_id <> all(%(passive_sources)s))
     order by case when origin = 1 then occurred_at else received_at end desc, seq desc
     limit 1) last
"""
_RECENT_ACTIVITY = f"""
select {EVENT_COLUMNS} from {_OF_PERSON}
 where seq <= %s and {_SHOWS_ACTIVITY}
   and name <> all(%s) and (source_id is null or source_id <> all(%s))
 order by id desc limit %s
"""
_NAMED_SINCE = f"""
select {EVENT_COLUMNS} from {_OF_PERSON}
 where name = %s and (occurred_at >= %s or seq > %s and origin <> {IMPORT})
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
_SIGN_INS = """
select source_id, anonymous_id, max(seq) from event
 where profile_id = %s and seq > %s and seq < %s and anonymous_id is not null and source_id is not null and origin = 0
 group by source_id, anonymous_id
"""
_LIVE_BETWEEN = f"""
select q.n, own.* from jsonb_to_recordset(%s) as q (n integer, profile uuid, lower uuid, since bigint, until bigint,
       before timestamptz)
 cross join lateral (
    select {EVENT_COLUMNS} from event
     where profile_id = q.profile and id >= q.lower and seq > q.since and seq < q.until and origin = 0
       and received_at < q.before limit 50) own
"""
_STORED = "select id from event where id = any(%s)"
_BY_ID = f"select {EVENT_COLUMNS} from event where id = any(%s)"


def find_events(connection: Connection, event_ids: Sequence[UUID]) -> dict[UUID, LoggedEvent]:
    """Return events by id; those that retention or erasure took are lacking."""
    rows = connection.execute(_BY_ID, (list(event_ids),)).fetchall()
    return {event.id: event for row in rows if (event := LoggedEvent(*row))}


class Pause(msgspec.Struct, frozen=True):
    """What is said to be a silence of a profile: after an event, between two places of the log, up to a moment."""

    profile_id: UUID
    last_event_id: UUID
    since_seq: int
    until_seq: int
    complete_at: datetime


def find_stored(connection: Connection, event_ids: Sequence[UUID]) -> set[UUID]:
    """Return which of these events are in the log."""
    return {row[0] for row in connection.execute(_STORED, (list(event_ids),)).fetchall()}


def find_live_between(connection: Connection, pauses: Sequence[Pause]) -> list[list[LoggedEvent]]:
    """Return, for each pause, some of the live events of its own profile that were received in it."""
    rows = [
        {
            "n": number,
            "profile": pause.profile_id,
            "lower": compute_boundary(read_moment(pause.last_event_id) - _DAY),
            "since": pause.since_seq,
            "until": pause.until_seq,
            "before": pause.complete_at,
        }
        for number, pause in enumerate(pauses)
    ]
    found: list[list[LoggedEvent]] = [[] for _ in pauses]
    for row in connection.execute(_LIVE_BETWEEN, (pack_rows(rows),)).fetchall():
        found[row[0]].append(LoggedEvent(*row[1:]))
    return found


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
    """Return the last activity of a person received since a moment, among those below a position of the log."""
    return find_last_activities(
        connection,
        [(person, since)],
        before_seq=before_seq,
        passive_names=passive_names,
        passive_sources=passive_sources,
    )[0]


def find_last_activities(
    connection: Connection,
    people: Sequence[tuple[Spans, datetime]],
    *,
    before_seq: int = 1 << 62,
    passive_names: Sequence[str],
    passive_sources: Sequence[int],
) -> list[LoggedEvent | None]:
    """Return the last activity of each person received since a moment of theirs, among those below a position.

    The last is what was active last (`active_at`), whatever the order in which an import brought it.
    """
    rows = []
    for number, (spans, since) in enumerate(people):
        profiles, froms, untils = _split(spans)
        rows.append({"n": number, "profiles": profiles, "froms": froms, "untils": untils, "since": since})
    values = {
        "people": pack_rows(rows),
        "before_seq": before_seq,
        "passive_names": list(passive_names),
        "passive_sources": list(passive_sources),
    }
    found = {row[0]: LoggedEvent(*row[1:]) for row in connection.execute(_LAST_ACTIVITIES, values).fetchall()}
    return [found.get(number) for number in range(len(people))]


def find_recent_activity(
    connection: Connection,
    person: Spans,
    *,
    until_seq: int,
    passive_names: Sequence[str],
    passive_sources: Sequence[int],
    limit: int = 500,
) -> list[LoggedEvent]:
    """Return a person's latest activities up to a position of the log, those that were active last first."""
    parameters = (*_split(person), until_seq, list(passive_names), list(passive_sources), limit)
    events = [LoggedEvent(*row) for row in connection.execute(_RECENT_ACTIVITY, parameters).fetchall()]
    # The index gives them by the client's clock; in one moment only the log knows the order.
    return sorted(events, key=lambda event: (event.active_at, event.seq), reverse=True)


def find_named_events(
    connection: Connection, person: Spans, name: str, *, after_seq: int, since: datetime, limit: int = 100
) -> list[LoggedEvent]:
    """Return a person's events of a name that happened at or after a moment or were logged after a position.

    Of history that was imported only what happened since: it is logged later than it happened.
    """
    parameters = (*_split(person), name, since, after_seq, limit)
    return [LoggedEvent(*row) for row in connection.execute(_NAMED_SINCE, parameters).fetchall()]


def find_sign_in(
    connection: Connection, person_id: UUID, profile_id: UUID, *, after_seq: int, before_seq: int
) -> int | None:
    """Return where in the log somebody's own events last named a device, between two places; both exclusive."""
    rows = connection.execute(_SIGN_INS, (person_id, after_seq, before_seq)).fetchall()
    named = (seq for source_id, one, seq in rows if compute_anonymous_profile_id(source_id, one) == profile_id)
    return max(named, default=None)


def _split(person: Spans) -> tuple[list[UUID], list[int], list[int]]:
    return [span[0] for span in person], [span[1] for span in person], [span[2] for span in person]
