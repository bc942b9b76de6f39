"""Writing what became of a delivery: each a conditional update on the claim's token, so who lost it writes nothing."""

from datetime import datetime

import msgspec

from engagement.lib.retry import compute_pause
from tracking.log.write import Connection
from triggers.channels.base import Prepared, SendOutcome, SendResult
from triggers.deliver.claim import LEASE, Claimed
from triggers.models import DeliveryState
from triggers.policy.decision import Reason

GAVE_UP = "gave_up"

_HAND_OVER = """
update delivery
   set state = 'handed_over', attempts = attempts + 1, address = %(address)s, address_hash = %(address_hash)s,
       template_version_id = %(version)s, message = %(message)s::jsonb, reason = '', detail = '',
       lease_until = clock_timestamp() + %(lease)s, updated_at = clock_timestamp()
 where id = %(id)s and lane = %(lane)s and state = 'claimed' and claim_token = %(token)s
   and lease_until > clock_timestamp()
"""
# Only of a delivery that is there, and that nobody erases meanwhile.
_START_ATTEMPT = """
insert into attempt (delivery_id, lane, number, started_at)
select id, lane, %s, clock_timestamp() from delivery where id = %s and lane = %s for share
on conflict do nothing
"""
_END_ATTEMPT = """
update attempt set finished_at = clock_timestamp(), outcome = %s, detail = %s
 where delivery_id = %s and lane = %s and number = %s
"""
# A lease that ran out while the network was asked leaves the row in doubt, with its token: a late answer still counts.
_SETTLE = """
update delivery
   set state = %(state)s, reason = %(reason)s, detail = %(detail)s, due_at = coalesce(%(due_at)s, due_at),
       attempts = greatest(attempts, %(attempts)s), claim_token = null, lease_until = null,
       updated_at = clock_timestamp()
 where id = %(id)s and lane = %(lane)s and claim_token = %(token)s
"""


def record_hand_over(
    connection: Connection, claimed: Claimed, prepared: Prepared, address_hash: str, version_id: int
) -> bool:
    """Say, before the network is touched, that the message leaves; False when the lease was lost."""
    values = {
        "id": claimed.id,
        "lane": claimed.lane,
        "token": claimed.token,
        "address": prepared.to,
        "address_hash": address_hash,
        "version": version_id,
        "lease": LEASE,
        "message": msgspec.json.encode(prepared).decode(),
    }
    if connection.execute(_HAND_OVER, values).rowcount == 0:
        return False
    connection.execute(_START_ATTEMPT, (claimed.attempts + 1, claimed.id, claimed.lane))
    return True


def record_outcome(connection: Connection, claimed: Claimed, outcome: SendOutcome, now: datetime) -> None:
    """Write what a try led to; another one is planned where it makes sense."""
    number = claimed.attempts + 1
    state, reason, due_at = _judge(claimed, outcome, now)
    with connection.transaction():
        # First the delivery, then its attempt: in this order an erasure takes both.
        settle(connection, claimed, state, reason, outcome.detail, due_at=due_at, attempts=number)
        ended = (outcome.result.value, outcome.detail, claimed.id, claimed.lane, number)
        connection.execute(_END_ATTEMPT, ended)


def record_failure(connection: Connection, claimed: Claimed, error: Exception, now: datetime) -> None:
    """Write that a message could not even be prepared, for a reason nobody thought of: a try like one that failed."""
    detail = f"{type(error).__name__}: {error}"[:500].replace("\0", "")
    with connection.transaction():
        connection.execute(_START_ATTEMPT, (claimed.attempts + 1, claimed.id, claimed.lane))
        record_outcome(connection, claimed, SendOutcome(result=SendResult.RETRY, detail=detail), now)


def record_drop(connection: Connection, claimed: Claimed, reason: str, detail: str = "") -> None:
    """Write why a message will not be sent."""
    settle(connection, claimed, DeliveryState.DROPPED, reason, detail)


def record_hold(connection: Connection, claimed: Claimed, reason: str, until: datetime | None) -> None:
    """Write why a message waits: until a moment, or until somebody ends what holds it, at most until it expires."""
    due_at = min(until, claimed.expires_at) if until is not None else claimed.expires_at
    settle(connection, claimed, DeliveryState.PLANNED, reason, "", due_at=due_at)


def settle(
    connection: Connection,
    claimed: Claimed,
    state: DeliveryState,
    reason: str,
    detail: str,
    *,
    due_at: datetime | None = None,
    attempts: int = 0,
) -> None:
    """Write a state on the claim's token and free it."""
    values = {
        "id": claimed.id,
        "lane": claimed.lane,
        "token": claimed.token,
        "state": state.value,
        "reason": reason,
        "detail": detail,
        "due_at": due_at,
        "attempts": attempts,
    }
    connection.execute(_SETTLE, values)


def _judge(claimed: Claimed, outcome: SendOutcome, now: datetime) -> tuple[DeliveryState, str, datetime | None]:
    if outcome.result is SendResult.ACCEPTED:
        return DeliveryState.ACCEPTED, "", None
    if outcome.result is SendResult.REJECTED:
        return DeliveryState.REJECTED, "refused", None
    if outcome.result is SendResult.IN_DOUBT:
        return DeliveryState.IN_DOUBT, "connection_lost", None
    pause = compute_pause(claimed.id, claimed.attempts + 1)
    if pause is None:
        return DeliveryState.REJECTED, GAVE_UP, None
    if now + pause > claimed.expires_at:
        return DeliveryState.DROPPED, Reason.EXPIRED.value, None
    return DeliveryState.PLANNED, "retry", now + pause
