"""Active rules look back: what they ask about is kept, even where RETENTION_DAYS was lowered below it."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from tracking.registry import get_registry
from triggers.broken_rules import list_in_force
from triggers.models import Rule
from triggers.rules.compile import iterate_needs
from triggers.rules.definition import EventTrigger, RuleDefinition
from triggers.rules.errors import RuleInvalid
from triggers.rules.stored import compile_stored


def find_need() -> timedelta:
    """Return how long events must be kept for the rules in force: the longest look back and the longest lateness."""
    looks = [look for _, look in _list_looks()]
    lateness = timedelta(days=settings.RETENTION_DAYS) - get_registry().reach
    return max(looks) + lateness if looks else timedelta(0)


def check_retention(app_configs: Any, databases: Sequence[str] | None = None, **_: Any) -> Sequence[CheckMessage]:
    """Refuse a retention under which a condition of an active rule would read what is no more."""
    if not databases:
        return []
    reach = get_registry().reach
    hint = (
        "Raise RETENTION_DAYS or shorten the rule's window. Until then the log is kept as long as the rule looks back."
    )
    says = f"RETENTION_DAYS={settings.RETENTION_DAYS} is too low: the active rule “{{}}” looks back {{}} days."
    return [
        Error(says.format(rule.name, look.days), hint=hint, id="engagement.E009")
        for rule, look in _list_looks()
        if look > reach
    ]


def _list_looks() -> Iterator[tuple[Rule, timedelta]]:
    for version in list_in_force():
        # One that cannot be read looks at nothing.
        with suppress(RuleInvalid):
            yield version.rule, _measure_look(compile_stored(version.definition).definition)


def _measure_look(definition: RuleDefinition) -> timedelta:
    wait = 0 if isinstance(definition.trigger, EventTrigger) else definition.trigger.after
    windows = [need.within or 0 for need in iterate_needs(definition.conditions)]
    return timedelta(seconds=max([wait, *windows]))
