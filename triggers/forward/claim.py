"""Claiming lanes of a destination: a lease says who sends, and a batch that was begun stays the same batch.

The row of the destination's progress is locked while lanes are claimed and while an outcome is recorded, always first:
claims, outcomes and switches of one destination come one after the other, and none of them waits for a network.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec

from tracking.erasure.tombstones import split_erased
from tracking.log.follow import LaneGap, find_gaps, skip_quiet_gaps
from tracking.log.read import LoggedEvent, read_lane
from tracking.log.write import Connection
from triggers.evaluate.run import CONSUMER as LEADER

LEASE = timedelta(minutes=2)
LANES = 8
BATCH = 200

_LOCK = """
select d.state, p.failures, p.retry_at is null or p.retry_at <= clock_timestamp(), p.refusals
  from triggers_destinationprogress p join triggers_destination d on d.id = p.destination_id
 where p.destination_id = %s for update of p
"""
# One request alone tries whether the other side is back. Should its worker die, the next one tries after its lease.
_PROBE = "update triggers_destinationprogress set retry_at = clock_timestamp() + %s where destination_id = %s"
_WORK = "update triggers_destinationprogress set worked_at = clock_timestamp() where destination_id = %s"
_LEASES = """
select lane, batch_end, greatest(lease_until, retry_at) <= clock_timestamp(), strikes, tried_at
  from triggers_copylease where destination_id = %s
"""
_LEND = """
insert into triggers_copylease (destination_id, lane, token, lease_until, batch_end, tried_at)
select %s, x.lane, %s, clock_timestamp() + %s, x.batch_end, clock_timestamp()
  from unnest(%s::smallint[], %s::bigint[]) as x (lane, batch_end) order by x.lane
    on conflict (destination_id, lane) do update
   set token = excluded.token, lease_until = excluded.lease_until, batch_end = excluded.batch_end,
       tried_at = excluded.tried_at
"""
_NEVER = datetime.min.replace(tzinfo=UTC)


class LaneBatch(msgspec.Struct, frozen=True, kw_only=True):
    """The next events of a lane, which end at `end`: there the cursor moves when all is told.

    `is_doubtful`: what comes next was not taken before, while others were.
    """

    lane: int
    position: int
    end: int
    events: Sequence[LoggedEvent]
    is_doubtful: bool = False


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """The lanes that this worker holds. `is_probe`: the other side did not take the last tries.

    `refusals`: how many copies in a row it has refused.
    """

    token: UUID
    destination_id: int
    is_probe: bool
    batches: Sequence[LaneBatch]
    refusals: int = 0

    @property
    def doubtful(self) -> frozenset[int]:
        """The lanes that are tried carefully."""
        return frozenset(batch.lane for batch in self.batches if batch.is_doubtful)


class _Lease(msgspec.Struct, frozen=True):
    """What is known of a lane: where its last batch ends, and how trying it went."""

    batch_end: int = 0
    is_free: bool = True
    strikes: int = 0
    tried_at: datetime | None = None


def name_consumer(destination_id: int) -> str:
    """Return the name of a destination's cursors."""
    return f"destination:{destination_id}"


def claim_lanes(connection: Connection, destination_id: int, lanes: int = LANES, batch: int = BATCH) -> Claim | None:
    """Take lanes that have something new; None where there is nothing to do, or it is not the time."""
    with connection.transaction():
        row = connection.execute(_LOCK, (destination_id,)).fetchone()
        if row is None or row[0] != "on" or not row[2]:
            return None
        is_probe = row[1] > 0
        skip_quiet_gaps(connection, name_consumer(destination_id), LEADER)
        gaps = find_gaps(connection, name_consumer(destination_id), LEADER)
        leases = {row[0]: _Lease(*row[1:]) for row in connection.execute(_LEASES, (destination_id,)).fetchall()}
        chosen = _choose_probe(gaps, leases) if is_probe else _choose_lanes(gaps, leases, lanes)
        batches = [_read_batch(connection, gap, leases.get(gap.lane, _Lease()), batch) for gap in chosen]
        connection.execute(_WORK, (destination_id,))
        if not batches:
            return None
        if is_probe:
            connection.execute(_PROBE, (LEASE, destination_id))
        token = uuid4()
        ends = {lane.lane: lane.end for lane in batches}
        values: tuple[Any, ...] = (destination_id, token, LEASE, list(ends), list(ends.values()))
        connection.execute(_LEND, values)
    return Claim(token=token, destination_id=destination_id, is_probe=is_probe, batches=batches, refusals=row[3])


def _choose_probe(gaps: Sequence[LaneGap], leases: Mapping[int, _Lease]) -> list[LaneGap]:
    """Return the lane that was not tried for longest: what one of them has may be just what is not taken."""
    return sorted(_find_free(gaps, leases), key=lambda gap: _find_try(leases, gap))[:1]


def _choose_lanes(gaps: Sequence[LaneGap], leases: Mapping[int, _Lease], most: int) -> list[LaneGap]:
    """Return lanes, those furthest behind first; of the doubtful ones one at a time, so that the others go on."""
    free = _find_free(gaps, leases)
    doubtful = [gap for gap in free if gap.lane in leases and leases[gap.lane].strikes]
    careful = sorted(doubtful, key=lambda gap: _find_try(leases, gap))[:1]
    return careful + [gap for gap in free if gap not in doubtful][: most - len(careful)]


def _find_free(gaps: Sequence[LaneGap], leases: Mapping[int, _Lease]) -> list[LaneGap]:
    return [gap for gap in gaps if gap.lane not in leases or leases[gap.lane].is_free]


def _find_try(leases: Mapping[int, _Lease], gap: LaneGap) -> datetime:
    return leases.get(gap.lane, _Lease()).tried_at or _NEVER


def _read_batch(connection: Connection, gap: LaneGap, lease: _Lease, limit: int) -> LaneBatch:
    """Read on from the cursor: up to where a batch that was begun ends, and no further. What is erased is left out."""
    until = lease.batch_end if gap.position < lease.batch_end <= gap.until else gap.until
    events = read_lane(connection, gap.lane, gap.position, until, limit)
    end = events[-1].seq if len(events) == limit else until
    alive, _, _ = split_erased(connection, events)
    return LaneBatch(lane=gap.lane, position=gap.position, end=end, events=alive, is_doubtful=lease.strikes > 0)
