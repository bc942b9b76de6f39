"""Reading the log behind cursors: the bound, the lanes that lag, the next events of a lane."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from engagement.lib.ids import LANES
from tracking.event import IMPORT
from tracking.log.write import Connection


class LoggedEvent(msgspec.Struct, frozen=True):
    """A row of the log, as its readers see it. The order of the fields is that of `EVENT_COLUMNS`."""

    seq: int
    id: UUID
    lane: int
    profile_id: UUID
    name: str
    properties: dict[str, Any]
    context: dict[str, Any]
    source_id: int | None
    origin: int
    depth: int
    message_id: str | None
    user_id: str | None
    anonymous_id: str | None
    occurred_at: datetime
    received_at: datetime

    @property
    def active_at(self) -> datetime:
        """When it showed that the person is active, by our clock; for history that was imported, when it happened."""
        return min(self.occurred_at, self.received_at) if self.origin == IMPORT else self.received_at


EVENT_COLUMNS = (
    "seq, id, lane, profile_id, name, properties, context, source_id, origin, depth, message_id, user_id, "
    "anonymous_id, occurred_at, received_at"
)

_ENSURE = """
insert into lane_cursor (consumer, lane, position)
select %s, lane, 0 from generate_series(0, %s) lane order by lane on conflict do nothing
"""
_CLAIM = """
select lane, position from lane_cursor
 where consumer = %s and lane = %s and position < %s for update skip locked
"""
_READ = f"select {EVENT_COLUMNS} from event where lane = %s and seq > %s and seq <= %s order by seq limit %s"
_MOVE = "update lane_cursor set position = %s where consumer = %s and lane = %s"

_READ_SPAN = f"""
select {EVENT_COLUMNS} from unnest(%s::smallint[], %s::bigint[]) as read_to (of_lane, position)
  join event on lane = of_lane and seq > %s and seq <= least(%s, position) order by seq
"""
_POSITIONS = "select lane, position from lane_cursor where consumer = %s order by lane"
_FIRST = """
select coalesce(min(seq), 0) from generate_series(0, %s) of_lane,
       lateral (select seq from event where lane = of_lane order by seq limit 1) first
"""
_IMPORTED = "select count(*) from event where lane = %s and seq > %s and source_id = %s and origin = %s"

_PAGE_END = "select id from event where id > %s order by id offset %s limit 1"
_NAMED_IN_PAGE = f"""
select {EVENT_COLUMNS} from event where id > %s and id <= %s and name = any(%s) and seq < %s order by id
"""
_PAGE_START = "select id from event where id < %s order by id desc offset %s limit 1"
_NAMED_BEFORE_PAGE = f"""
select {EVENT_COLUMNS} from event where id < %s and id >= %s and name = any(%s) order by id desc
"""
_LAST_ID = UUID(int=(1 << 128) - 1)

# Lanes without a new row move to the bound together; those that somebody works on are left alone. Not by `not exists`:
# the planner makes an anti-join of it, which hashes the whole log; a subquery is one look into event_lane_seq a lane.
_SKIP_QUIET = """
with quiet as (
    select consumer, lane from lane_cursor c
     where consumer = %(consumer)s and position < %(bound)s
       and (select 1 from event e where e.lane = c.lane and e.seq > c.position and e.seq <= %(bound)s limit 1) is null
     order by lane for update skip locked
)
update lane_cursor c set position = %(bound)s from quiet
 where c.consumer = quiet.consumer and c.lane = quiet.lane and c.position < %(bound)s
"""
_LAGGING = "select lane from lane_cursor where consumer = %s and position < %s order by position, lane"


def load_bound(connection: Connection) -> int:
    """Return the seq up to which every event is committed, or will never exist.

    Must be a transaction of its own: what is read up to the bound needs a younger snapshot.
    """
    row = connection.execute("select log_bound()").fetchone()
    return int(row[0]) if row else 0


def load_sequence(connection: Connection) -> int:
    """Return the last number that the log's sequence gave out."""
    row = connection.execute("select case when is_called then last_value else 0 end from event_seq_seq").fetchone()
    return int(row[0]) if row else 0


def count_imported(connection: Connection, source_id: int, after: int) -> int:
    """Count the history of a source that was added after a number of the log: lane by lane, as the index has it."""
    rows = [connection.execute(_IMPORTED, (lane, after, source_id, IMPORT)).fetchone() for lane in range(LANES)]
    return sum(int(row[0]) for row in rows if row)


def ensure_cursors(connection: Connection, consumer: str) -> None:
    """Make the consumer's cursors that are lacking, at the log's start."""
    connection.execute(_ENSURE, (consumer, LANES - 1))


def skip_quiet_lanes(connection: Connection, consumer: str, bound: int) -> None:
    """Move the cursors of all lanes that have nothing new."""
    connection.execute(_SKIP_QUIET, {"consumer": consumer, "bound": bound})


def find_lagging_lanes(connection: Connection, consumer: str, bound: int) -> list[int]:
    """Return the lanes behind the bound, those furthest behind first."""
    return [row[0] for row in connection.execute(_LAGGING, (consumer, bound)).fetchall()]


def claim_lane(connection: Connection, consumer: str, lane: int, bound: int) -> int | None:
    """Lock the cursor until the transaction ends and return its position; None if it is busy or caught up."""
    row = connection.execute(_CLAIM, (consumer, lane, bound)).fetchone()
    return row[1] if row else None


def read_lane(connection: Connection, lane: int, after: int, bound: int, limit: int) -> list[LoggedEvent]:
    """Return the next events of a lane, in the order of the log."""
    rows = connection.execute(_READ, (lane, after, bound, limit)).fetchall()
    return [LoggedEvent(*row) for row in rows]


def load_positions(connection: Connection, consumer: str) -> dict[int, int]:
    """Return how far a consumer has come in each lane."""
    return dict(connection.execute(_POSITIONS, (consumer,)).fetchall())


def load_first_seq(connection: Connection) -> int:
    """Return the least seq that retention has left in the log; 0 for an empty log."""
    row = connection.execute(_FIRST, (LANES - 1,)).fetchone()
    return int(row[0]) if row else 0


def read_span(connection: Connection, positions: Mapping[int, int], after: int, until: int) -> list[LoggedEvent]:
    """Return the events of all lanes between two numbers, each lane's up to its position, in the order of the log."""
    parameters = (list(positions), list(positions.values()), after, until)
    return [LoggedEvent(*row) for row in connection.execute(_READ_SPAN, parameters).fetchall()]


def read_named_page(
    connection: Connection, names: Sequence[str], *, after: UUID, until_seq: int, size: int
) -> tuple[list[LoggedEvent], UUID | None]:
    """Return what has one of the names among the next `size` events by id, and the id of the last of these.

    Only what was logged before a position; None as the last id at the end of the log. The primary key serves both
    statements, so a page costs its size however long the log is and however rare the names are.
    """
    row = connection.execute(_PAGE_END, (after, size - 1)).fetchone()
    until = row[0] if row else None
    found = connection.execute(_NAMED_IN_PAGE, (after, until or _LAST_ID, list(names), until_seq)).fetchall()
    return [LoggedEvent(*row) for row in found], until


def read_named_backwards(connection: Connection, names: Sequence[str], *, size: int) -> Iterator[list[LoggedEvent]]:
    """Yield what has one of the names from the end of the log back, by id; each page passes `size` events."""
    before: UUID | None = _LAST_ID
    while before is not None:
        row = connection.execute(_PAGE_START, (before, size - 1)).fetchone()
        since = row[0] if row else UUID(int=0)
        rows = connection.execute(_NAMED_BEFORE_PAGE, (before, since, list(names))).fetchall()
        yield [LoggedEvent(*found) for found in rows]
        before = row[0] if row else None


def move_cursor(connection: Connection, consumer: str, lane: int, position: int) -> None:
    """Say that everything up to `position` is decided."""
    connection.execute(_MOVE, (position, consumer, lane))
