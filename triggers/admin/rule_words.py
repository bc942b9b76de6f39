"""What is to be said about rules beside their sentence: where they stand, and what looks wrong."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.utils.html import format_html

from engagement.lib.say import say_moment
from tracking.models import EventType
from tracking.registry import get_registry
from triggers.admin.rule_parts import load_names
from triggers.broken_rules import list_broken
from triggers.models import Activation, Rule, RuleState, RuleVersion
from triggers.rules.describe import describe_condition, describe_rule
from triggers.rules.errors import RuleInvalid
from triggers.rules.parse import parse_definition

_LOOKS = {RuleState.DRAFT: "", RuleState.ACTIVE: "good", RuleState.PAUSED: "warning", RuleState.ARCHIVED: ""}


def show_rule_state(state: str) -> str:
    """Return a state as a coloured word."""
    return format_html('<span class="badge {}">{}</span>', _LOOKS[RuleState(state)], RuleState(state).label)


def say_definition(definition: Mapping[str, Any]) -> str:
    """Return a stored rule as a sentence, "" for one that is not complete or cannot be read."""
    try:
        return describe_rule(parse_definition(definition), load_names())
    except (RuleInvalid, ValueError, TypeError, RecursionError):
        return ""


def say_conditions(tree: Any) -> str:
    """Return a tree of conditions as a clause, "" for none or one that is not complete."""
    try:
        conditions = parse_definition(
            {"format": 1, "trigger": {"kind": "event", "event": ""}, "conditions": tree}
        ).conditions
    except RuleInvalid:
        return ""
    return describe_condition(conditions, load_names()) if conditions is not None else ""


def list_awaited(definition: Any) -> set[str]:
    """Return the names of the events without which a rule can never start."""
    return _read_names(definition, "event", "started_by")


def list_ends(definition: Any) -> set[str]:
    """Return the names of the events by which people are left out: misspelled, everybody would be written to."""
    return _read_names(definition, "ended_by")


def find_sources(definition: Any) -> set[int]:
    """Return the ids of the sources that the conditions of a stored rule name."""
    waiting, found = [definition.get("conditions") if isinstance(definition, dict) else None], set()
    while waiting:
        node = waiting.pop()
        if not isinstance(node, dict):
            continue
        if node.get("node") == "source" and isinstance(node.get("source"), int):
            found.add(node["source"])
        parts = node.get("of")
        waiting += parts if isinstance(parts, list) else [parts]
    return found


def _read_names(definition: Any, *keys: str) -> set[str]:
    trigger = definition.get("trigger") if isinstance(definition, dict) else None
    found = [trigger.get(key) for key in keys] if isinstance(trigger, dict) else []
    return {name for name in found if name and isinstance(name, str)}


def find_unseen(names: Iterable[str]) -> set[str]:
    """Return those of the names that no app has sent yet."""
    wanted = set(names)
    seen = EventType.objects.filter(name__in=wanted, last_seen_at__isnull=False)
    return wanted - set(seen.values_list("name", flat=True))


def find_unseen_in(definitions: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the names in what starts and ends rules that no app has sent yet, asking once for all."""
    return find_unseen(name for one in definitions for name in list_awaited(one) | list_ends(one))


def find_last_activation(rule_id: int) -> datetime | None:
    """Return when a rule matched last: one row of the index by rule."""
    newest = Activation.objects.filter(rule_id=rule_id).order_by("-id").values_list("created_at", flat=True)
    return newest.first()


def list_worries(
    rule: Rule,
    unseen: set[str],
    last_at: datetime | None,
    active_since: datetime | None,
    broken: Mapping[int, str],
) -> list[str]:
    """Return what a marketer should know of a rule that may not do what is expected of it.

    `broken` are the problems of rules that cannot be read, by id.
    """
    if rule.pk in broken:
        return [f"It cannot be read, and starts nothing: {broken[rule.pk]} Save it and activate it again."]
    worries = [
        f"It asks for source {source}, which is gone or switched off."
        for source in sorted(find_sources(rule.definition) - get_registry().by_id.keys())
    ]
    worries += [
        f"It waits for “{name}”, which no app has sent yet." for name in sorted(list_awaited(rule.definition) & unseen)
    ]
    worries += [
        f"It leaves out who does “{name}”, which no app has sent yet. Is it called something else?"
        for name in sorted(list_ends(rule.definition) & unseen)
    ]
    if rule.state == RuleState.ACTIVE and active_since is not None and (last_at is None or last_at < active_since):
        worries.append(f"It has not matched anybody since it was activated, {say_moment(active_since)}.")
    return worries


def load_broken() -> dict[int, str]:
    """Return what is wrong with the active rules that cannot be read, by id."""
    return {one.rule_id: one.problem for one in list_broken()}


def find_in_force(rule: Rule) -> RuleVersion | None:
    """Return the newest version that was put in force."""
    return rule.versions.filter(state=RuleState.ACTIVE).order_by("-number").first() if rule.pk else None


def is_changed(rule: Rule, in_force: RuleVersion | None) -> bool:
    """Whether the draft says something else than what is, or was last, in force."""
    return in_force is not None and rule.definition != in_force.definition
