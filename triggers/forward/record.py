"""Recording what became of a claim: the cursors move on the lease's token, and with them what is counted."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import structlog

from engagement.lib.retry import compute_backoff
from tracking.erasure.tombstones import hold_tombstones, is_erased
from tracking.log.follow import advance_cursors
from tracking.log.write import Connection
from triggers.forward.claim import Claim, LaneBatch, name_consumer
from triggers.forward.copies import Copy
from triggers.forward.kinds.base import Result, Verdict
from triggers.forward.send import Outcome
from triggers.forward.standing import SHORTEST, judge_lanes, load_lanes, release_lanes

KEPT_AN_HOUR = 100
_MOST_WORDS = 1_000
KEPT = timedelta(days=35)

_LOCK = """
select p.failures, clock_timestamp() from triggers_destinationprogress p
 where p.destination_id = %s for update
"""
_REFUSALS = "update triggers_destinationprogress set refusals = %s where destination_id = %s"
_SUCCEED = """
update triggers_destinationprogress
   set failures = 0, failing_since = null, retry_at = null, sent_at = clock_timestamp() where destination_id = %s
"""
_CALM = "update triggers_destinationprogress set retry_at = clock_timestamp() where destination_id = %s"
_FAIL = """
update triggers_destinationprogress
   set failures = %s, failing_since = coalesce(failing_since, clock_timestamp()),
       retry_at = clock_timestamp() + %s, error = %s, error_at = clock_timestamp()
 where destination_id = %s
"""
_SAY = "update triggers_destinationprogress set error = %s, error_at = clock_timestamp() where destination_id = %s"
_PAUSE = "update triggers_destination set state = 'paused' where id = %s and state = 'on'"
_COUNT = """
insert into triggers_copycount (destination_id, hour, sent, refused)
values (%s, date_trunc('hour', clock_timestamp(), 'UTC'), %s, %s)
    on conflict (destination_id, hour) do update
   set sent = triggers_copycount.sent + excluded.sent, refused = triggers_copycount.refused + excluded.refused
returning refused - %s, xmax = 0
"""
_FORGET_COUNTS = "delete from triggers_copycount where destination_id = %s and hour < clock_timestamp() - %s"
_FORGET_REFUSED = "delete from triggers_refusedcopy where destination_id = %s and refused_at < clock_timestamp() - %s"
_NOTE = """
insert into triggers_refusedcopy (destination_id, copy_id, lane, name, reason, refused_at)
values (%s, %s, %s, %s, %s, clock_timestamp()) on conflict do nothing
"""

log = structlog.get_logger()


def record_outcome(connection: Connection, claim: Claim, copies: Sequence[Copy], outcome: Outcome) -> int:
    """Move each lane up to what needs no further try, release it, and count; return how many copies are settled.

    Who lost the lease records nothing: whoever has it now sends the same again and records that.
    """
    with connection.transaction():
        known = connection.execute(_LOCK, (claim.destination_id,)).fetchone()
        lanes = load_lanes(connection, claim.destination_id)
        held = {lane.lane for lane in lanes if lane.token == claim.token}
        batches = [batch for batch in claim.batches if batch.lane in held]
        if known is None or not batches:
            return 0
        judged = judge_lanes(lanes, claim.token, copies, outcome, known[1])
        positions = {batch.lane: find_position(batch, copies, outcome) for batch in batches}
        settled = [copy for copy in copies if copy.lane in held and copy.seq <= positions[copy.lane]]
        advance_cursors(connection, name_consumer(claim.destination_id), positions)
        release_lanes(connection, claim.destination_id, judged)
        _count(connection, claim.destination_id, settled, outcome)
        _note_standing(connection, claim, known[0], outcome)
    return len(settled)


def find_position(batch: LaneBatch, copies: Sequence[Copy], outcome: Outcome) -> int:
    """Return how far a lane has come: up to just before the first copy that needs another try."""
    open_seqs = [copy.seq for copy in copies if copy.lane == batch.lane and not outcome.is_settled(copy)]
    if not open_seqs:
        return batch.end
    first = min(open_seqs)
    return max((event.seq for event in batch.events if event.seq < first), default=batch.position)


def _count(connection: Connection, destination_id: int, settled: Sequence[Copy], outcome: Outcome) -> None:
    if not settled:
        return
    refused = [copy for copy in settled if copy.id in outcome.refused]
    values = (destination_id, len(settled) - len(refused), len(refused), len(refused))
    before, is_new_hour = connection.execute(_COUNT, values).fetchone() or (0, False)
    if is_new_hour:
        connection.execute(_FORGET_COUNTS, (destination_id, KEPT))
        connection.execute(_FORGET_REFUSED, (destination_id, KEPT))
    for copy in _leave_out_erased(connection, refused[: max(KEPT_AN_HOUR - before, 0)]):
        reason = _clean(outcome.refused[copy.id])
        connection.execute(_NOTE, (destination_id, copy.id, copy.lane, copy.name, reason))
        log.info("copy_refused", destination_id=destination_id, copy_id=str(copy.id))


def _clean(reason: str) -> str:
    """Return what the other side said as it can be stored: what it says must not keep the cursors from moving."""
    return reason.replace("\0", "")[:_MOST_WORDS]


def _leave_out_erased(connection: Connection, copies: Sequence[Copy]) -> list[Copy]:
    """Return the copies but those of somebody who was erased while they were under way: what was said may name them."""
    tombstones = hold_tombstones(connection, {UUID(copy.profile) for copy in copies})
    return [copy for copy in copies if not is_erased(tombstones, UUID(copy.profile), copy.event_id)]


def _note_standing(connection: Connection, claim: Claim, failures: int, outcome: Outcome) -> None:
    if outcome.refusals is not None and outcome.refusals != claim.refusals:
        connection.execute(_REFUSALS, (outcome.refusals, claim.destination_id))
    if outcome.sent or outcome.refused:
        connection.execute(_SUCCEED, (claim.destination_id,))
        failures = 0
    if outcome.shut is not None:
        _note_trouble(connection, claim, failures, outcome.shut)
        return
    for trouble in outcome.troubles.values():
        connection.execute(_SAY, (_clean(trouble.verdict.reason), claim.destination_id))
    if claim.is_probe and failures:
        # Nothing in this lane was for the other side, or it is known not to be taken: the next lane tries it.
        connection.execute(_CALM, (claim.destination_id,))


def _note_trouble(connection: Connection, claim: Claim, failures: int, trouble: Verdict) -> None:
    """Count a failure once, however many requests met the shut door at the same time."""
    if failures and not claim.is_probe:
        return
    number = failures + 1
    pause = max(trouble.retry_after or compute_backoff(claim.token, number), SHORTEST)
    connection.execute(_FAIL, (number, pause, _clean(trouble.reason), claim.destination_id))
    if trouble.result is Result.GONE:
        connection.execute(_PAUSE, (claim.destination_id,))
    log.warning("destination_refuses", destination_id=claim.destination_id, failures=number)
