"""Is a rule fit to be activated? Every error has a code, a JSON path and a sentence."""

from collections.abc import Iterator
from datetime import timedelta

from triggers.rules.check_conditions import check_conditions
from triggers.rules.check_parts import check_name, check_path, check_span, make_error
from triggers.rules.definition import Abandonment, After, EventTrigger, Inactivity, RuleDefinition, SessionEnd, Silence
from triggers.rules.errors import RuleError, RuleErrorCode


def check_definition(definition: RuleDefinition, retention: timedelta, lateness: timedelta) -> list[RuleError]:
    """Return what keeps a rule from being activated; an empty list when nothing does.

    `retention` is how long events are kept and `lateness` how late they may arrive: what lies further back than
    retention minus lateness may be gone or may still come, so no window may reach there.
    """
    reach = retention - lateness
    return [
        *_check_trigger(definition, reach),
        *_check_emits(definition),
        *check_conditions(definition.conditions, reach),
        *_check_rest(definition),
    ]


def _check_trigger(definition: RuleDefinition, reach: timedelta) -> Iterator[RuleError]:
    match definition.trigger:
        case EventTrigger(event=event):
            yield from check_name(event, "$.trigger.event")
        case SessionEnd(after=after):
            yield from check_span(after, "$.trigger.after", reach)
        case Inactivity(after=after, event=awaited):
            yield from check_span(after, "$.trigger.after", reach)
            if awaited is not None:
                yield from check_name(awaited, "$.trigger.event")
        case Abandonment() as trigger:
            yield from _check_abandonment(trigger, reach)


def _check_abandonment(trigger: Abandonment, reach: timedelta) -> Iterator[RuleError]:
    yield from check_name(trigger.started_by, "$.trigger.started_by")
    yield from check_name(trigger.ended_by, "$.trigger.ended_by")
    yield from check_span(trigger.after, "$.trigger.after", reach)
    if trigger.started_by == trigger.ended_by:
        message = "What begins the wait cannot also end it: choose another event."
        yield make_error(RuleErrorCode.INVALID_NAME, "$.trigger.ended_by", message)
    if trigger.key is not None:
        yield from check_path(trigger.key, "$.trigger.key", is_key=True)


def _check_emits(definition: RuleDefinition) -> Iterator[RuleError]:
    if isinstance(definition.trigger, EventTrigger):
        if definition.emits is not None:
            message = "A rule that starts on an event records no silence, so it needs no name for one."
            yield make_error(RuleErrorCode.INVALID_NAME, "$.emits", message)
        return
    if definition.emits is not None:
        yield from check_name(definition.emits, "$.emits")
        if definition.emits.startswith("$"):
            message = "Names that begin with $ belong to the platform: choose another."
            yield make_error(RuleErrorCode.INVALID_NAME, "$.emits", message)
    if definition.emitted_event in _list_awaited(definition.trigger):
        message = "The silence needs a name of its own: with the name of an event it waits for, it would feed itself."
        yield make_error(RuleErrorCode.FEEDS_ITSELF, "$.emits", message)


def _list_awaited(trigger: Silence) -> tuple[str | None, ...]:
    match trigger:
        case Inactivity(event=event):
            return (event,)
        case Abandonment(started_by=started_by, ended_by=ended_by):
            return (started_by, ended_by)
    return ()


def _check_rest(definition: RuleDefinition) -> Iterator[RuleError]:
    if isinstance(definition.reentry, After):
        yield from check_span(definition.reentry.seconds, "$.reentry.seconds")
    if definition.stale_after is not None:
        yield from check_span(definition.stale_after, "$.stale_after")
    if definition.template is not None and definition.template <= 0:
        yield make_error(RuleErrorCode.INVALID_VALUE, "$.template", "Choose a template.")
