"""Planning: the delivery that an activation leads to, as a row of the outbox."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from engagement.lib.ids import compute_timed_id, read_moment
from engagement.lib.records import pack_rows
from tracking.log.write import Connection
from triggers.models import DeliveryState
from triggers.rules.definition import RuleDefinition

CAME_BACK = "came_back"
_COLUMNS = "id, lane, activation_id, profile_id, rule_id, event_id, channel, state, reason, due_at, expires_at"
_PLAN = f"""
insert into delivery ({_COLUMNS}, created_at, updated_at)
select {_COLUMNS}, clock_timestamp(), clock_timestamp() from jsonb_to_recordset(%s) as x (
    id uuid, lane smallint, activation_id uuid, profile_id uuid, rule_id bigint, event_id uuid, channel text,
    state text, reason text, due_at timestamptz, expires_at timestamptz)
 order by id on conflict do nothing
"""


class NewDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A row on its way to the table of deliveries: planned, or dropped with its reason from the start."""

    id: UUID
    lane: int
    activation_id: UUID
    profile_id: UUID
    rule_id: int
    event_id: UUID
    channel: str
    state: str
    reason: str
    due_at: datetime
    expires_at: datetime

    @property
    def is_dropped(self) -> bool:
        """Whether it will not be sent."""
        return self.state == DeliveryState.DROPPED.value


def compute_delivery_id(activation_id: UUID, step: int, channel: str) -> UUID:
    """Return f(activation, step, channel), at the activation's moment."""
    return compute_timed_id(read_moment(activation_id), "delivery", activation_id.hex, str(step), channel)


def plan_delivery(
    *,
    activation_id: UUID,
    lane: int,
    profile_id: UUID,
    rule_id: int,
    event_id: UUID,
    occurred_at: datetime,
    due_at: datetime,
    definition: RuleDefinition,
    came_back: bool,
    channel: str = "email",
) -> NewDelivery | None:
    """Return the delivery of an activation; None for a rule without a template, which only records.

    A silence that the person's return closed is recorded and, unless the rule says otherwise, not sent.
    """
    if definition.template is None:
        return None
    is_dropped = came_back and not definition.send_if_came_back
    return NewDelivery(
        id=compute_delivery_id(activation_id, 0, channel),
        lane=lane,
        activation_id=activation_id,
        profile_id=profile_id,
        rule_id=rule_id,
        event_id=event_id,
        channel=channel,
        state=DeliveryState.DROPPED.value if is_dropped else DeliveryState.PLANNED.value,
        reason=CAME_BACK if is_dropped else "",
        due_at=due_at,
        expires_at=occurred_at + definition.expires_after,
    )


def save_deliveries(connection: Connection, deliveries: Sequence[NewDelivery]) -> None:
    """Write deliveries; those that are there already stay as they are."""
    if deliveries:
        connection.execute(_PLAN, (pack_rows(deliveries),))
