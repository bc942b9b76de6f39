"""Whose fault a failure is: that of the other side, which takes nothing, or that of what one lane has next.

It is the lane's own when since its last try the other side took what other lanes had: a strike. The lane is tried
carefully then, in pauses that grow, and the others go on. After so many strikes in a row a copy that stands alone is
given up: refused, with the answer. While nothing else is taken there are no strikes, so a day without the other side
loses nothing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import msgspec
import structlog

from engagement.lib.retry import compute_backoff
from tracking.log.write import Connection
from triggers.forward.copies import Copy
from triggers.forward.send import Outcome, Trouble

MOST_STRIKES = 10
"""With the pauses between them an hour at least."""
SHORTEST = timedelta(seconds=1)

_LANES = """
select lane, token, tried_at, taken_at, failed_at, strikes from triggers_copylease where destination_id = %s
"""
# Not -infinity: PostgreSQL knows it and Python does not, so whoever reads the row by a model would fail.
_RELEASE = """
update triggers_copylease l
   set lease_until = 'epoch', taken_at = x.taken_at, failed_at = x.failed_at, strikes = x.strikes,
       retry_at = clock_timestamp() + x.pause
  from unnest(%s::smallint[], %s::timestamptz[], %s::timestamptz[], %s::smallint[], %s::interval[])
    as x (lane, taken_at, failed_at, strikes, pause)
 where l.destination_id = %s and l.lane = x.lane
"""

log = structlog.get_logger()


class Fault(StrEnum):
    """Whose a failure is. Unknown: the lane was in doubt before, and nothing of another was tried since."""

    LANE = "lane"
    DOOR = "door"
    UNKNOWN = "unknown"


class LaneStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How trying a lane went: when something of it was taken last, and when it failed last since then."""

    lane: int
    token: UUID
    tried_at: datetime | None
    taken_at: datetime | None
    failed_at: datetime | None
    strikes: int
    pause: timedelta | None = None


def load_lanes(connection: Connection, destination_id: int) -> list[LaneStanding]:
    """Return how trying went for each lane that was ever tried. Whoever asks has locked the destination's progress."""
    names = ("lane", "token", "tried_at", "taken_at", "failed_at", "strikes")
    rows = connection.execute(_LANES, (destination_id,)).fetchall()
    return [LaneStanding(**dict(zip(names, row, strict=True))) for row in rows]


def release_lanes(connection: Connection, destination_id: int, lanes: Sequence[LaneStanding]) -> None:
    """Note how trying lanes went, and let others try them."""
    columns = [
        [getattr(lane, name) for lane in lanes] for name in ("lane", "taken_at", "failed_at", "strikes", "pause")
    ]
    connection.execute(_RELEASE, (*columns, destination_id))


def judge_lanes(
    lanes: Sequence[LaneStanding], token: UUID, copies: Sequence[Copy], outcome: Outcome, now: datetime
) -> list[LaneStanding]:
    """Return how the lanes of a claim stand after a try.

    Where a failure is the other side's, that is put into `outcome.shut`; what is given up, into `outcome.refused`.
    """
    tried = [_note_try(lane, copies, outcome, now) for lane in lanes if lane.token == token]
    known = tried + [lane for lane in lanes if lane.token != token]
    former = {lane.lane: lane for lane in lanes}
    return [_judge(lane, former[lane.lane], known, outcome) for lane in tried]


def find_fault(lane: LaneStanding, since: datetime, known: Sequence[LaneStanding]) -> Fault:
    """Return whose fault a lane's failure is, by what came since a moment of what other lanes had."""
    others = [other for other in known if other.lane != lane.lane]
    failed = sum(other.failed_at is not None and other.failed_at >= since for other in others)
    taken = sum(other.failed_at is None and other.taken_at is not None and other.taken_at >= since for other in others)
    if taken and taken >= failed:
        return Fault.LANE
    return Fault.UNKNOWN if lane.strikes and not failed else Fault.DOOR


def _note_try(lane: LaneStanding, copies: Sequence[Copy], outcome: Outcome, now: datetime) -> LaneStanding:
    own = [copy for copy in copies if copy.lane == lane.lane]
    has_moved = any(outcome.is_settled(copy) for copy in own)
    if lane.lane in outcome.troubles:
        return msgspec.structs.replace(lane, failed_at=now, strikes=0 if has_moved else lane.strikes)
    if own and not has_moved:
        return lane
    taken_at = now if any(copy.id in outcome.sent for copy in own) else lane.taken_at
    return msgspec.structs.replace(lane, taken_at=taken_at, failed_at=None, strikes=0)


def _judge(lane: LaneStanding, former: LaneStanding, known: Sequence[LaneStanding], outcome: Outcome) -> LaneStanding:
    trouble = outcome.troubles.get(lane.lane)
    since = former.failed_at or former.tried_at
    if trouble is None or since is None:
        return lane
    fault = find_fault(lane, since, known)
    if fault is Fault.DOOR:
        outcome.shut = outcome.shut or trouble.verdict
        return lane
    return _strike(lane, lane.strikes + (fault is Fault.LANE), trouble, outcome)


def _strike(lane: LaneStanding, strikes: int, trouble: Trouble, outcome: Outcome) -> LaneStanding:
    log.warning("copies_held", lane=lane.lane, strikes=strikes)
    if strikes >= MOST_STRIKES and trouble.alone is not None:
        words = f"Tried {strikes} times, while others were taken. {trouble.verdict.reason}"
        outcome.refused[trouble.alone] = words
        return msgspec.structs.replace(lane, failed_at=None, strikes=0)
    pause = max(trouble.verdict.retry_after or compute_backoff(lane.token, strikes), SHORTEST)
    return msgspec.structs.replace(lane, strikes=strikes, pause=pause)
