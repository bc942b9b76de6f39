"""What happens next if the visitor does nothing: the waits that run for them, each with its moment."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from tracking.models import Event
from triggers.broken_rules import list_in_force
from triggers.models import Timer
from triggers.rules.definition import Abandonment, Inactivity, RuleDefinition, SessionEnd
from triggers.rules.errors import RuleInvalid
from triggers.rules.stored import compile_stored

_GRACE = timedelta(seconds=15)


class ActiveDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that is in force."""

    rule_id: int
    name: str
    definition: RuleDefinition


class Upcoming(msgspec.Struct, frozen=True, kw_only=True):
    """A wait: `before` and `after` stand around the countdown to `at`. `is_message`: a mail is what it leads to."""

    id: str
    at: datetime
    before: str
    after: str
    is_message: bool


def find_active_rules() -> dict[int, ActiveDefinition]:
    """Return the rules in force, by id."""
    found = {}
    for version in list_in_force():
        with suppress(RuleInvalid):
            definition = compile_stored(version.definition).definition
            found[version.rule_id] = ActiveDefinition(
                rule_id=version.rule_id, name=version.rule.name, definition=definition
            )
    return found


def find_upcoming(
    profile_ids: Sequence[UUID],
    events: Sequence[Event],
    rules: dict[int, ActiveDefinition],
    now: datetime,
    *,
    has_address: bool,
) -> list[Upcoming]:
    """Return the waits of a person, the nearest first. `events` are their latest, oldest first."""
    timers = Timer.objects.filter(profile_id__in=profile_ids).order_by("due_at")
    waits = [_describe_timer(timer, rules[timer.rule_id], has_address) for timer in timers if timer.rule_id in rules]
    waits += _find_silences(events, rules)
    return sorted((wait for wait in waits if wait.at > now - _GRACE), key=lambda wait: (wait.at, wait.id))


def _describe_timer(timer: Timer, rule: ActiveDefinition, has_address: bool) -> Upcoming:
    trigger = rule.definition.trigger
    is_message = rule.definition.template is not None and has_address
    ending = trigger.ended_by if isinstance(trigger, Abandonment) else getattr(trigger, "event", None)
    after = "unless you check out" if ending == "purchase" else f"unless the page reports `{ending}`"
    hint = "" if has_address else "; sign in to get the reminder"
    return Upcoming(
        id=f"timer-{timer.rule_id}-{timer.key}",
        at=timer.due_at,
        before="A reminder goes out" if is_message else "Your cart counts as left",
        after=after + hint,
        is_message=is_message,
    )


def _find_silences(events: Sequence[Event], rules: dict[int, ActiveDefinition]) -> list[Upcoming]:
    last = next((event for event in reversed(events) if event.origin == 0 and not event.name.startswith("$")), None)
    if last is None:
        return []
    found = {_read_cause(event.context) for event in events if event.context}
    return [
        Upcoming(
            id=f"silence-{rule.rule_id}",
            at=last.received_at + timedelta(seconds=seconds),
            before=before,
            after="if you do nothing",
            is_message=False,
        )
        for rule in rules.values()
        for seconds, before in _read_silence(rule.definition)
        if (rule.rule_id, str(last.id)) not in found
    ]


def _read_cause(context: dict[str, Any]) -> tuple[Any, Any]:
    """Return the rule and the last event before the silence of a derived event."""
    detector = context.get("detector")
    return (detector.get("rule"), detector.get("armed_event")) if isinstance(detector, dict) else (None, None)


def _read_silence(definition: RuleDefinition) -> list[tuple[int, str]]:
    match definition.trigger:
        case SessionEnd(after=after):
            return [(after, "Your session ends")]
        case Inactivity(after=after, event=None):
            return [(after, "You count as inactive")]
    return []
