"""Delivering what is due: claim, ask every gate again, hand over in a short transaction, then the network."""

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from time import monotonic

import msgspec
import psycopg
import structlog

from engagement.lib.failure import locate
from tracking.log.write import Connection
from tracking.registry import Registry
from triggers.channels import CHANNELS
from triggers.channels.address import hash_address
from triggers.channels.base import Channel, Prepared, SendOutcome, SendResult, Session
from triggers.deliver.claim import Claimed, claim_due, expire_leases, release_claims, wake_held
from triggers.deliver.compose import Composed, compose
from triggers.deliver.facts import Standing, came_back, is_double, is_ended, load_standing
from triggers.deliver.record import record_drop, record_failure, record_hand_over, record_hold, record_outcome
from triggers.policy.decide import decide_sending
from triggers.policy.decision import Reason, Verdict
from triggers.policy.inputs import RuleStanding, SendingInputs

LIMIT = 100
PATIENCE = 45.0

_SUPPRESSED = "select exists (select from triggers_suppression where channel = %s and address_hash = %s)"
_CLOCK = "select clock_timestamp()"

log = structlog.get_logger()


class DeliverReport(msgspec.Struct, frozen=True, kw_only=True):
    """How many deliveries were claimed, and what became of them by state or reason."""

    claimed: int
    outcomes: dict[str, int]


def deliver_due(connection: Connection, registry: Registry, limit: int = LIMIT) -> DeliverReport:
    """Deliver up to `limit` messages whose time has come. Safe twice and in parallel.

    What is not begun in `PATIENCE` seconds is given back, long before the leases end.
    """
    expire_leases(connection)
    wake_held(connection)
    waiting = claim_due(connection, limit)
    count, deadline = len(waiting), monotonic() + PATIENCE
    outcomes: Counter[str] = Counter()
    sessions: dict[str, Session] = {}
    try:
        while waiting and monotonic() < deadline:
            delivery = waiting[0]
            outcome = deliver_one(connection, delivery, registry, sessions)
            waiting = waiting[1:]
            outcomes[outcome] += 1
    finally:
        for session in sessions.values():
            session.close()
        with suppress(psycopg.OperationalError):
            release_claims(connection, waiting)
    return DeliverReport(claimed=count, outcomes=dict(outcomes))


def deliver_one(connection: Connection, claimed: Claimed, registry: Registry, sessions: dict[str, Session]) -> str:
    """Deliver one. What goes wrong with it, the database's own troubles apart, stops no other."""
    try:
        channel = CHANNELS[claimed.channel]
        with connection.transaction():
            prepared = hand_over(connection, claimed, channel, registry)
    except psycopg.OperationalError:
        raise
    except Exception as error:
        _log(claimed, "failed", locate(error))
        record_failure(connection, claimed, error, _read_clock(connection))
        return "failed"
    if not isinstance(prepared, Prepared):
        _log(claimed, prepared)
        return prepared
    if channel.name not in sessions:
        sessions[channel.name] = channel.open_session()
    outcome = _send(sessions[channel.name], prepared)
    _log(claimed, outcome.result.value, outcome.cause)
    record_outcome(connection, claimed, outcome, _read_clock(connection))
    return outcome.result.value


def _log(claimed: Claimed, outcome: str, cause: str = "") -> None:
    """One line for each delivery: a warning where something failed."""
    fields = {"delivery_id": str(claimed.id), "rule_id": claimed.rule_id, "channel": claimed.channel}
    if cause:
        log.warning("delivery", **fields, attempt=claimed.attempts + 1, outcome=outcome, cause=cause)
    else:
        log.info("delivery", **fields, outcome=outcome)


def _read_clock(connection: Connection) -> datetime:
    row = connection.execute(_CLOCK).fetchone()
    return row[0] if row is not None else datetime.now(UTC)


def _send(session: Session, prepared: Prepared) -> SendOutcome:
    """A channel does not raise; should one all the same, nobody knows what left the building."""
    try:
        return session.send(prepared)
    except Exception as error:
        says = f"{type(error).__name__}: {error}"[:500]
        return SendOutcome(result=SendResult.IN_DOUBT, detail=says, cause=locate(error))


def hand_over(connection: Connection, claimed: Claimed, channel: Channel, registry: Registry) -> Prepared | str:
    """Return the message that may leave now, or the reason why none does."""
    standing = load_standing(connection, claimed)
    if standing is None:
        return _drop(connection, claimed, Reason.ERASED)
    if not standing.is_held:
        return "lease_lost"
    # The event of somebody else's time on a device waits like one without an address: nobody here may read of it.
    address = channel.find_address(standing.person.traits) if standing.is_theirs else ""
    decision = decide_sending(_gather(connection, claimed, standing, channel, address, registry))
    if decision.verdict is Verdict.DROP:
        return _drop(connection, claimed, decision.reason)
    if decision.verdict is Verdict.HOLD:
        record_hold(connection, claimed, decision.reason.value, decision.until)
        return decision.reason.value
    template = standing.definition.template
    composed = compose(connection, template, standing.event, standing.person, registry, standing.now)
    if not isinstance(composed, Composed):
        return _drop(connection, claimed, Reason(composed.reason), composed.detail)
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


def _drop(connection: Connection, claimed: Claimed, reason: Reason, detail: str = "") -> str:
    record_drop(connection, claimed, reason.value, detail)
    return reason.value
