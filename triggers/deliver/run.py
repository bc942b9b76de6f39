"""Delivering what is due: claim, ask every gate again, hand over in a short transaction, then the network."""

from collections import Counter
from datetime import timedelta

import msgspec
import structlog

from tracking.log.write import Connection
from tracking.registry import Registry
from triggers.channels import CHANNELS
from triggers.channels.address import hash_address
from triggers.channels.base import Channel, Prepared, SendOutcome, SendResult, Session
from triggers.deliver.claim import Claimed, claim_due, expire_leases
from triggers.deliver.compose import Composed, compose
from triggers.deliver.facts import Standing, came_back, is_double, is_ended, load_standing
from triggers.deliver.record import record_hand_over, record_outcome, record_refusal
from triggers.models import DeliveryState
from triggers.policy.decide import decide_sending
from triggers.policy.decision import Reason, Verdict
from triggers.policy.inputs import RuleStanding, SendingInputs

LIMIT = 100

_SUPPRESSED = "select exists (select from triggers_suppression where channel = %s and address_hash = %s)"
_CLOCK = "select clock_timestamp()"

log = structlog.get_logger()


class DeliverReport(msgspec.Struct, frozen=True, kw_only=True):
    """How many deliveries were claimed, and what became of them by state or reason."""

    claimed: int
    outcomes: dict[str, int]


def deliver_due(connection: Connection, registry: Registry, limit: int = LIMIT) -> DeliverReport:
    """Deliver up to `limit` messages whose time has come. Safe twice and in parallel."""
    expire_leases(connection)
    claimed = claim_due(connection, limit)
    outcomes: Counter[str] = Counter()
    sessions: dict[str, Session] = {}
    try:
        for delivery in claimed:
            outcome = _deliver(connection, delivery, registry, sessions)
            outcomes[outcome] += 1
            log.info("delivery", delivery_id=str(delivery.id), rule_id=delivery.rule_id, outcome=outcome)
    finally:
        for session in sessions.values():
            session.close()
    return DeliverReport(claimed=len(claimed), outcomes=dict(outcomes))


def _deliver(connection: Connection, claimed: Claimed, registry: Registry, sessions: dict[str, Session]) -> str:
    channel = CHANNELS[claimed.channel]
    with connection.transaction():
        prepared = _hand_over(connection, claimed, channel, registry)
    if not isinstance(prepared, Prepared):
        return prepared
    if channel.name not in sessions:
        sessions[channel.name] = channel.open_session()
    outcome = _send(sessions[channel.name], prepared)
    row = connection.execute(_CLOCK).fetchone()
    if row is not None:
        record_outcome(connection, claimed, outcome, row[0])
    return outcome.result.value


def _send(session: Session, prepared: Prepared) -> SendOutcome:
    """A channel does not raise; should one all the same, nobody knows what left the building."""
    try:
        return session.send(prepared)
    except Exception as error:
        log.error("channel_raised", delivery_id=str(prepared.id), exc_info=error)
        return SendOutcome(result=SendResult.IN_DOUBT, detail=f"{type(error).__name__}: {error}"[:500])


def _hand_over(connection: Connection, claimed: Claimed, channel: Channel, registry: Registry) -> Prepared | str:
    """Return the message that may leave now, or the reason why none does."""
    standing = load_standing(connection, claimed)
    if standing is None:
        return _refuse(connection, claimed, DeliveryState.DROPPED, Reason.ERASED)
    if not standing.is_held:
        return "lease_lost"
    address = channel.find_address(standing.person.traits)
    decision = decide_sending(_gather(connection, claimed, standing, channel, address, registry))
    if decision.verdict is Verdict.DROP:
        return _refuse(connection, claimed, DeliveryState.DROPPED, decision.reason)
    if decision.verdict is Verdict.HOLD:
        return _refuse(connection, claimed, DeliveryState.PLANNED, decision.reason)
    composed = compose(connection, standing.definition.template, standing.event, standing.person, registry)
    if not isinstance(composed, Composed):
        return _refuse(connection, claimed, DeliveryState.DROPPED, Reason(composed.reason), composed.detail)
    prepared = channel.prepare(claimed.id, address, composed.message)
    address_hash = hash_address(channel.name, address)
    is_ours = record_hand_over(connection, claimed, prepared, address_hash, composed.version_id)
    return prepared if is_ours else "lease_lost"


def _gather(
    connection: Connection,
    claimed: Claimed,
    standing: Standing,
    channel: Channel,
    address: str,
    registry: Registry,
) -> SendingInputs:
    suppressed = connection.execute(_SUPPRESSED, (channel.name, hash_address(channel.name, address))).fetchone()
    return SendingInputs(
        now=standing.now,
        occurred_at=standing.event.occurred_at,
        stale_after=claimed.expires_at - standing.event.occurred_at
        if claimed.expires_at > standing.event.occurred_at
        else timedelta(0),
        rule=RuleStanding(standing.rule_state),
        address=channel.check_address(address),
        is_sending_stopped=standing.is_stopped,
        is_suppressed=bool(suppressed and suppressed[0]),
        is_ended=is_ended(connection, standing),
        is_double=is_double(connection, standing, claimed.activation_id),
        came_back=came_back(connection, standing, registry),
        send_if_came_back=standing.definition.send_if_came_back,
    )


def _refuse(connection: Connection, claimed: Claimed, state: DeliveryState, reason: Reason, detail: str = "") -> str:
    record_refusal(connection, claimed, state, reason.value, detail)
    return reason.value
