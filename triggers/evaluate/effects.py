"""What follows from a batch, written in the order in which all of us take locks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from engagement.lib.ids import compute_timed_id, read_moment
from engagement.lib.records import pack_rows
from tracking.log.write import Connection

_ACTIVATION_COLUMNS = "id, lane, profile_id, rule_id, rule_version_id, event_id, event_seq, occurred_at, is_once, trace"
_ACTIVATE = f"""
insert into activation ({_ACTIVATION_COLUMNS}, created_at)
select {_ACTIVATION_COLUMNS}, clock_timestamp() from jsonb_to_recordset(%s) as x (
    id uuid, lane smallint, profile_id uuid, rule_id bigint, rule_version_id bigint, event_id uuid, event_seq bigint,
    occurred_at timestamptz, is_once boolean, trace jsonb)
 order by id on conflict do nothing returning id
"""
_PREVIOUS = """
select rule_id, profile_id, occurred_at from activation
 where profile_id = any(%s) and rule_id = any(%s) order by event_seq
"""


class NewActivation(msgspec.Struct, frozen=True, kw_only=True):
    """A row on its way to the table of activations."""

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


def compute_activation_id(rule_id: int, event_id: UUID) -> UUID:
    """Return f(rule, event), at the event's moment."""
    return compute_timed_id(read_moment(event_id), "activation", str(rule_id), event_id.hex)


def save_activations(connection: Connection, activations: Sequence[NewActivation]) -> set[UUID]:
    """Write activations; return the ids of those that were not there."""
    if not activations:
        return set()
    return {row[0] for row in connection.execute(_ACTIVATE, (pack_rows(activations),)).fetchall()}


def load_previous(
    connection: Connection, profile_ids: Sequence[UUID], rule_ids: Sequence[int]
) -> list[tuple[int, UUID, datetime]]:
    """Return (rule, profile, moment) of earlier activations, in the order of the log."""
    return connection.execute(_PREVIOUS, (list(profile_ids), list(rule_ids))).fetchall()
