"""The scan for silences of all activity: who was last seen between two watermarks, and has not returned since.

It costs what changed: a range read on `profile.seen_at`. `seen_at` is at most a step behind, so whoever is found is
confirmed by the exact last activity in the log: late by at most a step, never early.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from tracking.event import IMPORT
from tracking.log.horizon import load_horizon
from tracking.log.read import LoggedEvent
from tracking.log.write import Connection, encode_row, write_within
from tracking.profiles import Spans, list_spans
from tracking.queries import find_last_activities
from tracking.registry import Registry
from triggers.detect.coverage import is_covered
from triggers.detect.derive import derive_event
from triggers.detect.describe import describe_silence
from triggers.rulebook import ActiveRule, RuleBook

PAGE = 500
_TINY = timedelta(microseconds=1)
EVALUATOR = "evaluator"

_WATERMARK = "select watermark, started_at from triggers_detector where rule_id = %s for update skip locked"
_MOVE = "update triggers_detector set watermark = greatest(watermark, %s) where rule_id = %s"
_QUIET = """
select id, lane, user_id, seen_at, linked_to, joined from profile
 where seen_at <= %s and (seen_at, id) > (%s, %s) order by seen_at, id limit %s
"""
_CATCH_UP = "update profile set seen_at = %s where id = %s and lane = %s and seen_at < %s"
_LAST_ID = UUID(int=(1 << 128) - 1)


class QuietPerson(msgspec.Struct, frozen=True):
    """What the scan reads of a profile: not the traits, which may be large. The order is that of the columns read."""

    id: UUID
    lane: int
    user_id: str | None
    seen_at: datetime
    linked_to: UUID | None
    joined: dict[str, list[int]]

    @property
    def spans(self) -> Spans:
        """All profiles of this person, with the part of the log in which they are theirs."""
        return list_spans(self.id, self.joined)


def find_quiet(
    connection: Connection, since: datetime, until: datetime, limit: int, after: tuple[datetime, UUID] | None = None
) -> list[QuietPerson]:
    """Return a page of the people last seen after `since` and up to `until`, those seen first first."""
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(_QUIET, (until, *(after or (since, _LAST_ID)), limit)).fetchall()
    return [QuietPerson(*row) for row in rows]


def scan_silence(connection: Connection, book: RuleBook, registry: Registry) -> int:
    """Append the silences that became complete up to the horizon; return how many events were written."""
    book.refresh(connection)
    horizon = load_horizon(connection, EVALUATOR)
    if horizon is None:
        return 0
    return sum(_scan_rule(connection, rule, book.current.step, horizon, registry) for rule in book.current.silences)


def _scan_rule(connection: Connection, rule: ActiveRule, step: timedelta, horizon: datetime, registry: Registry) -> int:
    if rule.silence is None:
        return 0
    until = horizon - rule.silence - step
    written = 0
    after: tuple[datetime, UUID] | None = None
    while True:
        with connection.transaction():
            row = connection.execute(_WATERMARK, (rule.rule_id,)).fetchone()
            if row is None or row[0] >= until:
                return written
            states = find_quiet(connection, row[0], until, PAGE, after)
            is_last = len(states) < PAGE
            last_seen = until if is_last else states[-1].seen_at
            # Up to the page's last moment, exclusive: others of that same moment may stand on the next page.
            connection.execute(_MOVE, (until if is_last else last_seen - _TINY, rule.rule_id))
            written += _append_page(connection, rule, states, horizon, row[1], registry)
        if is_last:
            return written
        after = (last_seen, states[-1].id)


def _append_page(
    connection: Connection,
    rule: ActiveRule,
    states: Sequence[QuietPerson],
    horizon: datetime,
    started_at: datetime,
    registry: Registry,
) -> int:
    people = [state for state in states if state.linked_to is None]
    lasts = find_last_activities(
        connection,
        [(state.spans, state.seen_at) for state in people],
        passive_names=sorted(registry.passive_names),
        passive_sources=registry.passive_source_ids,
    )
    silences = [
        describe_silence(connection, rule, state, last, registry, came_back=False)
        for state, last in zip(people, lasts, strict=True)
        if last is not None
        and _is_complete(connection, rule, state, last, horizon)
        and is_covered(rule, last.active_at + (rule.silence or timedelta(0)), {rule.rule_id: started_at})
    ]
    events = [encode_row(event) for silence in silences if (event := derive_event(silence)) is not None]
    write_within(connection, events)
    return len(events)


def _is_complete(
    connection: Connection, rule: ActiveRule, state: QuietPerson, last: LoggedEvent, horizon: datetime
) -> bool:
    """Whether the silence is; of somebody who was active since `seen_at` that is then set right."""
    if rule.silence is None:
        return False
    if last.active_at + rule.silence <= horizon:
        return True
    # A return after the horizon is the evaluator's to decide: moved up to it, `seen_at` would hide the silence that
    # it ended. History ends none.
    if last.origin == IMPORT or last.received_at <= horizon:
        connection.execute(_CATCH_UP, (last.active_at, state.id, state.lane, last.active_at))
    return False
