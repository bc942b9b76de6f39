"""Waits that began before their rule was activated: armed from the log, in pages, once the evaluator has come so far.

The evaluator arms what is logged after the activation, this what is before. Both keep the start that happened last,
and a wait that is over is confirmed by the log, so it does not matter which of the two comes first.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from engagement.lib.ids import compute_boundary
from tracking.event import IMPORT
from tracking.log.read import LoggedEvent, load_first_seq, load_positions, load_sequence, read_named_page
from tracking.log.write import Connection
from tracking.profiles import ProfileState, lock_people
from tracking.registry import Registry
from triggers.detect.coverage import STARTING, is_covered, is_late, load_starts
from triggers.detect.timer_book import TimerBook, clear_ended, make_timer
from triggers.rulebook import ActiveRule, RuleBook

PAGE = 5_000
"""How many events of the log a transaction passes."""
PAGES = 100
"""How many pages of a rule a scan takes; the next scan goes on."""
EVALUATOR = "evaluator"

_PENDING = "select rule_id from triggers_detector where arm_after is not null order by rule_id"
_CLAIM = """
select arm_after, arm_until from triggers_detector
 where rule_id = %s and arm_after is not null for update skip locked
"""
_MOVE = "update triggers_detector set arm_after = %s, armed_seq = %s where rule_id = %s"
_DAY = timedelta(days=1)


class Arming(msgspec.Struct, frozen=True):
    """What is left to arm of a rule: what was logged before `until_seq` and has an id above `after`."""

    rule: ActiveRule
    after: UUID
    until_seq: int


def arm_pending(connection: Connection, book: RuleBook, registry: Registry) -> None:
    """Arm the waits of the rules that were activated lately."""
    pending = [row[0] for row in connection.execute(_PENDING).fetchall()]
    rules = [rule for rule_id in pending if (rule := book.current.rules.get(rule_id)) is not None]
    if not rules:
        return
    decided = min(load_positions(connection, EVALUATOR).values(), default=0)
    starts = load_starts(connection)
    for rule in rules:
        lower = find_lower(rule, starts, book)
        for _ in range(PAGES):
            if not _arm_page(connection, rule, lower, decided, starts, registry):
                break


def find_lower(rule: ActiveRule, starts: Mapping[int, datetime], book: RuleBook) -> UUID:
    """Return the id above which whatever starts a wait of the rule's is. It is within a day of when it happened."""
    if rule.includes_past or rule.wait is None or rule.armed_by is None:
        return UUID(int=0)
    return compute_boundary(starts[rule.rule_id] - rule.wait - book.find_slack(rule.armed_by) - _DAY)


def _arm_page(
    connection: Connection,
    rule: ActiveRule,
    lower: UUID,
    decided: int,
    starts: Mapping[int, datetime],
    registry: Registry,
) -> bool:
    """Arm the next page; return whether there is another one."""
    with connection.transaction():
        row = connection.execute(_CLAIM, (rule.rule_id,)).fetchone()
        if row is None or decided < row[1] - 1:
            return False
        last = None
        if load_first_seq(connection) < row[1]:
            last = arm_waits(connection, Arming(rule, max(row[0], lower), row[1]), starts, registry)
        connection.execute(_MOVE, (last, load_sequence(connection) if last is None else None, rule.rule_id))
    return last is not None


def arm_waits(connection: Connection, left: Arming, starts: Mapping[int, datetime], registry: Registry) -> UUID | None:
    """Arm the waits that a page of the log started; return the id up to which it is done, None at the end."""
    rule = left.rule
    names = [name for name in (rule.armed_by, rule.ended_by) if name is not None and rule.wait is not None]
    if not names:
        return None
    found, last = read_named_page(connection, names, after=left.after, until_seq=left.until_seq, size=PAGE)
    people = lock_people(connection, {event.profile_id for event in found})
    owned = [
        (event, person)
        for event in sorted(found, key=lambda event: (event.active_at, event.seq))
        if (person := people.get(event.profile_id)) is not None and _is_theirs(event, person)
    ]
    if owned:
        timers = TimerBook.load_waits(connection, rule.rule_id, {(person.lane, person.id) for _, person in owned})
        for event, person in owned:
            _apply(rule, timers, event, person, starts, registry)
        timers.save(connection)
    return last


def _apply(
    rule: ActiveRule,
    timers: TimerBook,
    event: LoggedEvent,
    person: ProfileState,
    starts: Mapping[int, datetime],
    registry: Registry,
) -> None:
    if event.name == rule.ended_by:
        clear_ended(timers, rule, person.id, event, by_moment=True)
    if event.name != rule.armed_by or rule.wait is None or is_late(event, registry):
        return
    timer = make_timer(rule, person.id, person.lane, event, rule.wait)
    if event.origin in (IMPORT, *STARTING) and is_covered(rule, timer.due_at, starts):
        timers.arm(timer)


def _is_theirs(event: LoggedEvent, person: ProfileState) -> bool:
    return any(own == event.profile_id and since < event.seq <= until for own, since, until in person.spans)
