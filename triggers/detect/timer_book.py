"""The timers of the people in a batch: armed, moved and cleared in memory, written once."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from engagement.lib.records import pack_rows
from tracking.event import IMPORT
from tracking.log.read import LoggedEvent
from tracking.log.write import Connection
from triggers.rulebook import ActiveRule
from triggers.rules.definition import Abandonment
from triggers.rules.wait_key import keys_fit, read_wait_key


class TimerRow(msgspec.Struct, frozen=True):
    """A wait. The order of the fields is that of the columns read."""

    lane: int
    profile_id: UUID
    rule_id: int
    key: str
    event_id: UUID
    seq: int
    occurred_at: datetime
    due_at: datetime


_Key = tuple[UUID, int, str]

TIMER_COLUMNS = "lane, profile_id, rule_id, key, event_id, seq, occurred_at, due_at"
_RECORD = """jsonb_to_recordset(%s) as x (lane smallint, profile_id uuid, rule_id bigint, key text, event_id uuid,
    seq bigint, occurred_at timestamptz, due_at timestamptz)"""
_LOAD = f"""
select {TIMER_COLUMNS} from timer where lane = %s and profile_id = any(%s)
 order by profile_id, rule_id, key for update
"""
_LOAD_MANY = f"""
select {", ".join(f"t.{column}" for column in TIMER_COLUMNS.split(", "))}
  from unnest(%s::smallint[], %s::uuid[]) as person (lane, id)
  join timer t on t.lane = person.lane and t.profile_id = person.id and t.rule_id = %s
 order by t.lane, t.profile_id, t.key for update of t
"""
_ARM = f"""
insert into timer ({TIMER_COLUMNS}) select {TIMER_COLUMNS} from {_RECORD} order by lane, profile_id, rule_id, key
on conflict (lane, profile_id, rule_id, key) do update set
    event_id = excluded.event_id, seq = excluded.seq, occurred_at = excluded.occurred_at, due_at = excluded.due_at
"""
_CLEAR = f"""
delete from timer t using (select lane, profile_id, rule_id, key from {_RECORD}) x
 where t.lane = x.lane and t.profile_id = x.profile_id and t.rule_id = x.rule_id and t.key = x.key
"""


class TimerBook:
    """The timers of a batch's people, as they stand after each event."""

    def __init__(self, rows: Iterable[TimerRow] = ()) -> None:
        self._rows = {(row.profile_id, row.rule_id, row.key): row for row in rows}
        self._stored = dict(self._rows)

    @classmethod
    def load(cls, connection: Connection, lane: int, profile_ids: Iterable[UUID]) -> "TimerBook":
        """Read and lock the timers of people of a lane."""
        rows = connection.execute(_LOAD, (lane, list(profile_ids))).fetchall()
        return cls(TimerRow(*row) for row in rows)

    @classmethod
    def load_waits(cls, connection: Connection, rule_id: int, people: Iterable[tuple[int, UUID]]) -> "TimerBook":
        """Read and lock the timers of a rule for people of any lane: (lane, profile)."""
        lanes, ids = zip(*people, strict=True)
        rows = connection.execute(_LOAD_MANY, (list(lanes), list(ids), rule_id)).fetchall()
        return cls(TimerRow(*row) for row in rows)

    def find(self, profile_id: UUID, rule_id: int) -> list[TimerRow]:
        """Return the waits of a rule for a person."""
        return [row for row in self._rows.values() if row.profile_id == profile_id and row.rule_id == rule_id]

    def all_of(self, profile_id: UUID) -> list[TimerRow]:
        """Return all waits for a person."""
        return [row for row in self._rows.values() if row.profile_id == profile_id]

    def arm(self, row: TimerRow) -> None:
        """Start a wait, or move it: of two starts the one that happened later counts, whichever comes in first."""
        known = self._rows.get((row.profile_id, row.rule_id, row.key))
        if known is None or (known.occurred_at, known.seq) <= (row.occurred_at, row.seq):
            self._rows[row.profile_id, row.rule_id, row.key] = row

    def clear(self, row: TimerRow) -> None:
        """End a wait."""
        self._rows.pop((row.profile_id, row.rule_id, row.key), None)

    @property
    def is_changed(self) -> bool:
        """Whether anything was armed, moved or cleared."""
        return self._rows != self._stored

    def save(self, connection: Connection) -> None:
        """Write what changed."""
        armed = [row for key, row in self._rows.items() if self._stored.get(key) != row]
        cleared = [row for key, row in self._stored.items() if key not in self._rows]
        if cleared:
            connection.execute(_CLEAR, (pack_rows(cleared),))
        if armed:
            connection.execute(_ARM, (pack_rows(armed),))


def make_timer(rule: ActiveRule, profile_id: UUID, lane: int, event: LoggedEvent, wait: timedelta) -> TimerRow:
    """Return the wait that an event starts: due when `wait` has passed since it happened.

    That of a live event is never due before we heard of it; that of history may have been over long ago.
    """
    over_at = event.occurred_at + wait
    return TimerRow(
        lane=lane,
        profile_id=profile_id,
        rule_id=rule.rule_id,
        key=read_key(rule, event.properties),
        event_id=event.id,
        seq=event.seq,
        occurred_at=event.occurred_at,
        due_at=event.active_at + wait if event.origin == IMPORT else max(event.received_at, over_at),
    )


def clear_ended(
    timers: TimerBook, rule: ActiveRule, profile_id: UUID, event: LoggedEvent, *, by_moment: bool = False
) -> None:
    """End the waits that an event ends: any that it fits, but of history none that began only afterwards.

    With `by_moment` the order of the log says nothing: no event ends what began afterwards.
    """
    key = read_key(rule, event.properties)
    for timer in timers.find(profile_id, rule.rule_id):
        is_before = (by_moment or event.origin == IMPORT) and event.occurred_at < timer.occurred_at
        if keys_fit(key, timer.key) and not is_before:
            timers.clear(timer)


def read_key(rule: ActiveRule, properties: dict[str, Any]) -> str:
    """Return what a wait is for, as text; '' where the rule has no key or the event no such property."""
    trigger = rule.definition.trigger
    return read_wait_key(trigger, properties) if isinstance(trigger, Abandonment) else ""
