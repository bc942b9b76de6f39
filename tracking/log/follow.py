"""Reading the log behind another consumer: what a follower may read in a lane is what its leader has decided there.

A follower begins where it is told to, such as at the log's present end. Its cursors hold retention back like
everybody's, so one that is no more has none.
"""

from datetime import datetime

import msgspec

from engagement.lib.ids import LANES
from tracking.log.write import Connection

_START = """
insert into lane_cursor (consumer, lane, position)
select %s, lane, %s from generate_series(0, %s) lane order by lane on conflict do nothing
"""
_STOP = "delete from lane_cursor where consumer = %s"

# Lanes without a new row move up to the leader together; those that somebody works on are left alone. A
# subquery for the reason that `read.py` gives.
_SKIP_QUIET = """
with quiet as (
    select mine.lane, leader.position from lane_cursor mine
      join lane_cursor leader on leader.consumer = %(leader)s and leader.lane = mine.lane
     where mine.consumer = %(follower)s and mine.position < leader.position
       and (select 1 from event e where e.lane = mine.lane and e.seq > mine.position and e.seq <= leader.position
             limit 1) is null
     order by mine.lane for update of mine skip locked
)
update lane_cursor c set position = quiet.position from quiet
 where c.consumer = %(follower)s and c.lane = quiet.lane and c.position < quiet.position
"""
_BEHIND = """
select mine.lane, mine.position, leader.position from lane_cursor mine
  join lane_cursor leader on leader.consumer = %s and leader.lane = mine.lane
 where mine.consumer = %s and mine.position < leader.position
 order by mine.position, mine.lane
"""
_ADVANCE = """
update lane_cursor c set position = moved.position
  from unnest(%s::smallint[], %s::bigint[]) as moved (lane, position)
 where c.consumer = %s and c.lane = moved.lane and c.position < moved.position
"""
_LAG = """
select coalesce(sum(waiting.number), 0)::bigint, min(waiting.since), coalesce(bool_or(waiting.number = %s), false)
  from lane_cursor c
 cross join lateral (select count(*) as number, min(received_at) as since
                       from (select received_at from event e
                              where e.lane = c.lane and e.seq > c.position order by e.seq limit %s) next) waiting
 where c.consumer = %s
"""


class LaneGap(msgspec.Struct, frozen=True):
    """What a follower may read of a lane: behind `position`, up to `until`."""

    lane: int
    position: int
    until: int


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """How many events a consumer has not come to, and when the oldest of them was received; None without any.

    `is_more`: there are at least so many; counting on would read them all.
    """

    events: int
    since: datetime | None
    is_more: bool


def start_following(connection: Connection, consumer: str, position: int) -> None:
    """Make a follower's cursors at a position, such as the bound of just now; those that it has stay."""
    connection.execute(_START, (consumer, position, LANES - 1))


def stop_following(connection: Connection, consumer: str) -> None:
    """Forget a follower: it holds nothing back from now on."""
    connection.execute(_STOP, (consumer,))


def skip_quiet_gaps(connection: Connection, follower: str, leader: str) -> None:
    """Move a follower's cursors of all lanes that have nothing new for it."""
    connection.execute(_SKIP_QUIET, {"follower": follower, "leader": leader})


def find_gaps(connection: Connection, follower: str, leader: str) -> list[LaneGap]:
    """Return the lanes in which a follower is behind its leader, those furthest behind first.

    All that is up to `until` is committed; a statement after this one sees it.
    """
    return [LaneGap(*row) for row in connection.execute(_BEHIND, (leader, follower)).fetchall()]


def advance_cursors(connection: Connection, consumer: str, positions: dict[int, int]) -> None:
    """Move cursors (lane → position) onward; none goes back, and one that is gone stays gone."""
    lanes = sorted(positions)
    connection.execute(_ADVANCE, (lanes, [positions[lane] for lane in lanes], consumer))


def load_lag(connection: Connection, consumer: str, most_in_lane: int = 200) -> Lag:
    """Return how far a consumer is behind the log's end; counts up to `most_in_lane` events of each lane."""
    row = connection.execute(_LAG, (most_in_lane, most_in_lane, consumer)).fetchone()
    events, since, is_more = row or (0, None, False)
    return Lag(events=events, since=since, is_more=is_more)
