"""What follows from a batch, written in the order in which all of us take locks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from engagement.lib.ids import compute_timed_id, read_moment
from engagement.lib.records import pack_rows
from tracking.event import NewEvent
from tracking.log.read import LoggedEvent
from tracking.log.write import Connection
from tracking.profiles import ProfileState, save_changes, save_profiles
from triggers.deliver.claim import wake_people
from triggers.deliver.not_sent import append_with_not_sent, make_not_sent
from triggers.deliver.plan import NewDelivery, save_deliveries
from triggers.detect.timer_book import TimerBook

_ACTIVATION_COLUMNS = (
    "id, lane, profile_id, rule_id, rule_version_id, event_id, event_seq, occurred_at, is_once, released_seq, trace"
)
_ACTIVATE = f"""
insert into activation ({_ACTIVATION_COLUMNS}, created_at)
select {_ACTIVATION_COLUMNS}, clock_timestamp() from jsonb_to_recordset(%s) as x (
    id uuid, lane smallint, profile_id uuid, rule_id bigint, rule_version_id bigint, event_id uuid, event_seq bigint,
    occurred_at timestamptz, is_once boolean, released_seq bigint, trace jsonb)
 order by id on conflict do nothing returning id
"""
_PREVIOUS = """
select rule_id, profile_id, event_seq, occurred_at, released_seq from activation
 where profile_id = any(%s) and rule_id = any(%s) order by event_seq
"""


class NewActivation(msgspec.Struct, frozen=True, kw_only=True):
    """A row on its way to the table of activations. `released_seq` is known in a replay only."""

    id: UUID
    lane: int
    profile_id: UUID
    rule_id: int
    rule_version_id: int
    event_id: UUID
    event_seq: int
    occurred_at: datetime
    is_once: bool
    trace: Any
    released_seq: int | None = None


class Match(msgspec.Struct, frozen=True):
    """That a rule matched somebody, by an event and its moment. The order of the fields is that of the columns read.

    From `released_seq` on, a place in the log, it does not count any more: its message was never sent.
    """

    rule_id: int
    profile_id: UUID
    seq: int
    moment: datetime
    released_seq: int | None

    def counts_at(self, seq: int) -> bool:
        """Whether it counts for the event at a place of the log."""
        return self.released_seq is None or self.released_seq > seq


class BatchReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch led to. `woken` are messages that waited for an address."""

    events: int
    activations: int
    deliveries: int
    derived: int
    woken: int


@dataclass(frozen=True, kw_only=True)
class Effects:
    """What follows from a batch's events. Saving it again changes nothing: every row's id is computed.

    `stale` are those of the events that an erased person's other profiles sent before they were erased too.
    """

    events: Sequence[LoggedEvent]
    profiles: Sequence[ProfileState]
    timers: TimerBook
    activations: Sequence[NewActivation]
    deliveries: Sequence[NewDelivery]
    derived: Sequence[NewEvent]
    stale: Sequence[LoggedEvent] = ()

    @property
    def dropped(self) -> list[LoggedEvent]:
        """Return the events that said more of a person than fits."""
        return [event for state in self.profiles for event in state.dropped]

    def save(self, connection: Connection) -> BatchReport:
        """Write all that follows; the events of silences and links come last, just before the commit."""
        stale = {event.id for event in self.stale}
        save_changes(connection, [event for event in self.events if event.id not in stale])
        fresh = self.save_state(connection)
        planned = [delivery for delivery in self.deliveries if delivery.activation_id in fresh]
        save_deliveries(connection, planned)
        woken = wake_people(connection, self._find_readdressed())
        append_with_not_sent(connection, self.derived, [_make_not_sent(one) for one in planned if one.is_dropped])
        return BatchReport(
            events=len(self.events),
            activations=len(fresh),
            deliveries=len(planned),
            derived=len(self.derived),
            woken=woken,
        )

    def _find_readdressed(self) -> set[UUID]:
        """Return all profiles of the people to whom a message may be addressed now."""
        states = [state for state in self.profiles if state.is_readdressed]
        return {profile_id for state in states for profile_id, _, _ in state.spans}

    def save_state(self, connection: Connection) -> set[UUID]:
        """Write what later decisions build on; return the ids of the activations that were not there."""
        save_profiles(connection, self.profiles)
        self.timers.save(connection)
        return save_activations(connection, self.activations)


def _make_not_sent(delivery: NewDelivery) -> NewEvent:
    return make_not_sent(
        activation_id=delivery.activation_id,
        lane=delivery.lane,
        profile_id=delivery.profile_id,
        rule_id=delivery.rule_id,
        reason=delivery.reason,
    )


def compute_activation_id(rule_id: int, event_id: UUID) -> UUID:
    """Return f(rule, event), at the event's moment."""
    return compute_timed_id(read_moment(event_id), "activation", str(rule_id), event_id.hex)


def save_activations(connection: Connection, activations: Sequence[NewActivation]) -> set[UUID]:
    """Write activations; return the ids of those that were not there."""
    if not activations:
        return set()
    return {row[0] for row in connection.execute(_ACTIVATE, (pack_rows(activations),)).fetchall()}


def load_previous(connection: Connection, profile_ids: Sequence[UUID], rule_ids: Sequence[int]) -> list[Match]:
    """Return earlier activations, in the order of the log."""
    rows = connection.execute(_PREVIOUS, (list(profile_ids), list(rule_ids))).fetchall()
    return [Match(*row) for row in rows]
