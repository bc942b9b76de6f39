"""Describing a silence with what a template needs, from the log."""

from typing import Protocol
from uuid import UUID

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
            until_seq=last.seq,
            passive_names=sorted(registry.passive_names),
            passive_sources=registry.passive_source_ids,
        )
        properties = describe_session(activities or [last], rule.silence)
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
    """Return the silence in which a wait ended; None when what it waited for is in the log, or its start no more."""
    last = find_events(connection, [timer.event_id]).get(timer.event_id)
    if last is None or rule.wait is None or has_ended(connection, rule, timer, person, before_seq=before_seq):
        return None
    trigger = rule.definition.trigger
    if isinstance(trigger, Abandonment):
        started = _find_started(connection, rule, trigger, timer, person)
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


def has_ended(
    connection: Connection,
    rule: ActiveRule,
    timer: TimerRow,
    person: Spans,
    *,
    before_seq: int | None = None,
) -> bool:
    """Whether the log holds an event that ends the wait: logged after its start, or that happened at or after it."""
    if rule.ended_by is None:
        return False
    found = find_named_events(connection, person, rule.ended_by, after_seq=timer.seq, since=timer.occurred_at)
    return any(
        keys_fit(read_key(rule, event.properties), timer.key)
        for event in found
        if before_seq is None or event.seq < before_seq
    )


def _find_started(
    connection: Connection, rule: ActiveRule, trigger: Abandonment, timer: TimerRow, person: Spans
) -> list[LoggedEvent]:
    """Return the events that armed or moved the wait since the last one that ended it."""
    names = (trigger.started_by, trigger.ended_by)
    latest = find_named_before(connection, person, names, until_seq=timer.seq, limit=4 * MAX_ITEMS)
    started: list[LoggedEvent] = []
    for event in latest:
        key = read_key(rule, event.properties)
        if event.name == trigger.ended_by and keys_fit(key, timer.key):
            break
        if event.name == trigger.started_by and key == timer.key:
            started.append(event)
    started.reverse()
    return started[-MAX_ITEMS:]
