"""Writing what became of a delivery: each a conditional update on the claim's token, so who lost it writes nothing."""

from datetime import datetime

import msgspec

from engagement.lib.retry import compute_pause
from tracking.log.write import Connection
from triggers.channels.base import Prepared, SendOutcome, SendResult
from triggers.deliver.claim import LEASE, Claimed
from triggers.deliver.not_sent import append_with_not_sent, make_not_sent
from triggers.models import DeliveryState
from triggers.policy.decision import Reason

GAVE_UP = "gave_up"
FINAL = (DeliveryState.DROPPED, DeliveryState.REJECTED)
"""Where a message ends that was not sent."""

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
# Taken before the delivery's lock, as everybody does.
_LOCK_ACTIVATION = "select id from activation where id = %s and lane = %s for no key update"
# A try that nobody knows the end of may have been sent, whatever became of the next one.
_MAYBE_SENT = """
select exists (select from attempt where delivery_id = %s and lane = %s and outcome not in ('retry', 'rejected'))
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
        if state in FINAL:
            connection.execute(_LOCK_ACTIVATION, (claimed.activation_id, claimed.lane))
        # First the delivery, then its attempt: in this order an erasure takes both.
        is_ours = settle(connection, claimed, state, reason, outcome.detail, due_at=due_at, attempts=number)
        ended = (outcome.result.value, outcome.detail, claimed.id, claimed.lane, number)
        connection.execute(_END_ATTEMPT, ended)
        if is_ours and state in FINAL:
            _append_not_sent(connection, claimed, reason)


def record_failure(connection: Connection, claimed: Claimed, error: Exception, now: datetime) -> None:
    """Write that a message could not even be prepared, for a reason nobody thought of: a try like one that failed."""
    detail = f"{type(error).__name__}: {error}"[:500].replace("\0", "")
    with connection.transaction():
        connection.execute(_START_ATTEMPT, (claimed.attempts + 1, claimed.id, claimed.lane))
        record_outcome(connection, claimed, SendOutcome(result=SendResult.RETRY, detail=detail), now)


def record_drop(connection: Connection, claimed: Claimed, reason: str, detail: str = "") -> None:
    """Write why a message will not be sent. Within a transaction, of which it is the end."""
    connection.execute(_LOCK_ACTIVATION, (claimed.activation_id, claimed.lane))
    is_ours = settle(connection, claimed, DeliveryState.DROPPED, reason, detail)
    if is_ours and reason != Reason.ERASED:
        _append_not_sent(connection, claimed, reason)


def _append_not_sent(connection: Connection, claimed: Claimed, reason: str) -> None:
    row = connection.execute(_MAYBE_SENT, (claimed.id, claimed.lane)).fetchone()
    if row is not None and row[0]:
        return
    event = make_not_sent(
        activation_id=claimed.activation_id,
        lane=claimed.lane,
        profile_id=claimed.profile_id,
        rule_id=claimed.rule_id,
        reason=reason,
    )
    append_with_not_sent(connection, (), [event])


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
) -> bool:
    """Write a state on the claim's token and free it; False when the token was lost."""
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
    return bool(connection.execute(_SETTLE, values).rowcount)


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
