"""Missed and unfounded: the difference between what a replay computes and what the table of activations, and the log of
silences, hold."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import msgspec

from engagement.lib.postgres import open_connection
from tracking.erasure.tombstones import is_erased, load_tombstones
from tracking.log.read import LoggedEvent
from tracking.log.write import Connection
from triggers.audit.replay import Replay
from triggers.audit.silences import SilenceDifference

_TIMEOUT_MS = 600_000
_COLUMNS = "id, lane, rule_id, rule_version_id, profile_id, event_id, event_seq, occurred_at"
_DIFFERENCE = """
select {columns} from {one} a
 where not exists (select from {other} b where b.id = a.id and b.lane = a.lane)
 order by event_seq, rule_id
"""


class Difference(msgspec.Struct, frozen=True):
    """An activation that stands on one side only. The order of the fields is that of the columns read."""

    id: UUID
    lane: int
    rule_id: int
    rule_version_id: int
    profile_id: UUID
    event_id: UUID
    event_seq: int
    occurred_at: datetime


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an audit found, of activations and of silences.

    `missed` follow from the log and are not in the table; `unfounded` are in the table and do not follow; `failed`
    are events whose decision raised in the replay; `set_aside` counts those that production stepped over, `erased`
    activations that are on one side only because their person was erased meanwhile.
    """

    first_seq: int
    last_seq: int
    events: int
    activations: int
    set_aside: int
    erased: int
    missed: list[Difference]
    unfounded: list[Difference]
    silences: int
    missed_silences: list[SilenceDifference]
    unfounded_silences: list[SilenceDifference]
    failed: list[LoggedEvent]

    @property
    def is_clean(self) -> bool:
        """Whether the table holds exactly what follows from the log."""
        silences = self.missed_silences or self.unfounded_silences
        return not (self.missed or self.unfounded or silences or self.failed)


def audit(show_progress: Callable[[int, int], None] = lambda done, total: None) -> AuditReport:
    """Replay the log as far as production has decided it, and compare. Calls back with numbers done and in all."""
    with open_connection("engagement-audit", timeout_ms=_TIMEOUT_MS) as connection:
        replay = Replay(connection)
        extent = replay.extent
        for done in replay.run():
            show_progress(done - extent.first_seq + 1, extent.last_seq - extent.first_seq + 1)
        connection.execute("create index on stored_activation (id)")
        missed, missing = _split_erased(connection, _subtract(connection, "activation", "stored_activation"))
        unfounded, unfound = _split_erased(connection, _subtract(connection, "stored_activation", "activation"))
        return AuditReport(
            first_seq=extent.first_seq,
            last_seq=extent.last_seq,
            events=replay.events,
            activations=_count(connection) - replay.earlier,
            set_aside=len(extent.set_aside),
            erased=missing + unfound,
            missed=missed,
            unfounded=unfounded,
            silences=replay.silences.found,
            missed_silences=_leave_out_erased(connection, replay.silences.missed),
            unfounded_silences=_leave_out_erased(connection, replay.silences.unfounded),
            failed=replay.failed,
        )


def _subtract(connection: Connection, one: str, other: str) -> list[Difference]:
    query = _DIFFERENCE.format(columns=_COLUMNS, one=one, other=other)
    return [Difference(*row) for row in connection.execute(query.encode()).fetchall()]


def _split_erased(connection: Connection, found: list[Difference]) -> tuple[list[Difference], int]:
    """Return the differences that count, and how many do not: an erasure that is under way takes one side first."""
    tombstones = load_tombstones(connection, {one.profile_id for one in found})
    counting = [one for one in found if not is_erased(tombstones, one.profile_id, one.event_id)]
    return counting, len(found) - len(counting)


def _leave_out_erased(connection: Connection, found: list[SilenceDifference]) -> list[SilenceDifference]:
    tombstones = load_tombstones(connection, {one.profile_id for one in found})
    return [one for one in found if not is_erased(tombstones, one.profile_id, one.last_event_id)]


def _count(connection: Connection) -> int:
    row = connection.execute("select count(*) from activation").fetchone()
    return int(row[0]) if row else 0
