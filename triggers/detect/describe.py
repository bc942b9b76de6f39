"""Describing a silence with what a template needs, from the log."""

from typing import Protocol
from uuid import UUID

from tracking.event import IMPORT
from tracking.log.read import LoggedEvent
from tracking.log.write import Connection
from tracking.profiles import Spans
from tracking.queries import find_events, find_named_before, find_named_events, find_recent_activity
from tracking.registry import Registry
from triggers.detect.derive import Silence, describe_abandonment, describe_inactivity, describe_session
from triggers.detect.timer_book import TimerRow, read_key
from triggers.rulebook import ActiveRule
from triggers.rules.definition import Abandonment, SessionEnd
from triggers.rules.wait_key import keys_fit

MAX_ITEMS = 50
_MOST_STARTS = 1_000
_ALL = 1 << 62


class Person(Protocol):
    """Whose silence it is."""

    @property
    def id(self) -> UUID:
        """Their profile."""

    @property
    def user_id(self) -> str | None:
        """Their own id, where it is known."""

    @property
    def spans(self) -> Spans:
        """All their profiles."""


def describe_silence(
    connection: Connection,
    rule: ActiveRule,
    person: Person,
    last: LoggedEvent,
    registry: Registry,
    *,
    came_back: bool,
) -> Silence:
    """Return the silence of all activity that followed `last`."""
    if rule.silence is None:
        raise ValueError("the rule waits for no silence of all activity")
    if isinstance(rule.definition.trigger, SessionEnd):
        activities = find_recent_activity(
            connection,
            person.spans,
            until_seq=_ALL if last.origin == IMPORT else last.seq,
            passive_names=sorted(registry.passive_names),
            passive_sources=registry.passive_source_ids,
        )
        before = [event for event in activities if event.active_at <= last.active_at]
        properties = describe_session(before or [last], rule.silence)
    else:
        properties = describe_inactivity(last, rule.silence)
    return Silence(
        rule=rule,
        profile_id=person.id,
        last=last,
        user_id=person.user_id,
        at=last.active_at + rule.silence,
        came_back=came_back,
        properties=properties,
    )


def describe_wait(
    connection: Connection,
    rule: ActiveRule,
    timer: TimerRow,
    person: Spans,
    user_id: str | None,
    *,
    before_seq: int | None = None,
    came_back: bool,
) -> Silence | None:
    """Return the silence in which a wait ended; None when its start is in the log no more.

    With `before_seq` also None when the log holds, before that, what ended or moved the wait: history comes in any
    order. Otherwise the caller has asked.
    """
    last = find_events(connection, [timer.event_id]).get(timer.event_id)
    if last is None or rule.wait is None or last.name != rule.armed_by:
        return None
    if before_seq is not None and find_endings(connection, rule, timer, person, before_seq=before_seq):
        return None
    trigger = rule.definition.trigger
    if isinstance(trigger, Abandonment):
        started = _find_started(connection, rule, trigger, timer, person, last)
        properties = describe_abandonment(started or [last], trigger.key, timer.key)
    else:
        properties = describe_inactivity(last, rule.wait)
    return Silence(
        rule=rule,
        profile_id=timer.profile_id,
        last=last,
        user_id=user_id,
        key=timer.key,
        at=timer.due_at,
        came_back=came_back,
        properties=properties,
    )


def find_endings(
    connection: Connection, rule: ActiveRule, timer: TimerRow, person: Spans, *, before_seq: int | None = None
) -> list[LoggedEvent]:
    """Return what the log holds that ends a wait, or moves it.

    It is ended by what was logged after its start, or happened at or after it; moved by a later start.
    """
    found = [event for event in _find_ends(connection, rule, timer, person) if ends_wait(rule, event, timer)]
    found += [event for event in _find_starts(connection, rule, timer, person) if moves_wait(rule, event, timer)]
    return [event for event in found if before_seq is None or event.seq < before_seq]


def _find_ends(connection: Connection, rule: ActiveRule, timer: TimerRow, person: Spans) -> list[LoggedEvent]:
    if rule.ended_by is None:
        return []
    return find_named_events(connection, person, rule.ended_by, after_seq=timer.seq, since=timer.occurred_at)


def _find_starts(connection: Connection, rule: ActiveRule, timer: TimerRow, person: Spans) -> list[LoggedEvent]:
    if rule.armed_by is None:
        return []
    return find_named_events(
        connection, person, rule.armed_by, after_seq=timer.seq, since=timer.occurred_at, limit=_MOST_STARTS
    )


def ends_wait(rule: ActiveRule, event: LoggedEvent, timer: TimerRow) -> bool:
    """Whether an event that was logged after a wait began, or happened since, ends it."""
    return event.name == rule.ended_by and keys_fit(read_key(rule, event.properties), timer.key)


def moves_wait(rule: ActiveRule, event: LoggedEvent, timer: TimerRow) -> bool:
    """Whether an event starts the same wait later, and before it is over."""
    if event.name != rule.armed_by or read_key(rule, event.properties) != timer.key:
        return False
    return event.active_at < timer.due_at and (event.occurred_at, event.seq) > (timer.occurred_at, timer.seq)


def _find_started(
    connection: Connection,
    rule: ActiveRule,
    trigger: Abandonment,
    timer: TimerRow,
    person: Spans,
    last: LoggedEvent,
) -> list[LoggedEvent]:
    """Return the events that armed or moved the wait since the last one that ended it."""
    names = (trigger.started_by, trigger.ended_by)
    until_seq = _ALL if last.origin == IMPORT else timer.seq
    latest = find_named_before(connection, person, names, until_seq=until_seq, limit=4 * MAX_ITEMS)
    latest = [event for event in latest if event.active_at <= last.active_at]
    started: list[LoggedEvent] = []
    for event in sorted(latest, key=lambda event: (event.active_at, event.seq), reverse=True):
        key = read_key(rule, event.properties)
        if event.name == trigger.ended_by and keys_fit(key, timer.key):
            break
        if event.name == trigger.started_by and key == timer.key:
            started.append(event)
    started.reverse()
    return started[-MAX_ITEMS:]
