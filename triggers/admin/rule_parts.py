"""A rule between its form and its JSON: what stands in which field, and where an error belongs."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tracking.registry import get_registry
from triggers.rules.check import check_definition
from triggers.rules.definition import RuleDefinition
from triggers.rules.errors import RuleError, RuleInvalid
from triggers.rules.parse import parse_definition
from triggers.rules.wording import Names

KINDS = (
    ("event", "Something happens"),
    ("session_end", "A session ends"),
    ("inactivity", "Somebody goes quiet"),
    ("abandonment", "Something is left unfinished"),
)
REENTRIES = (("always", "Every time"), ("once", "Only once for each person"), ("after", "Not again within"))
# The fields that each kind of start needs; the page's script shows these and hides the others.
KIND_FIELDS: Mapping[str, tuple[str, ...]] = {
    "event": ("event",),
    "session_end": ("after", "emits", "send_if_came_back"),
    "inactivity": ("quiet_event", "after", "emits", "send_if_came_back"),
    "abandonment": ("started_by", "ended_by", "key", "after", "emits", "send_if_came_back"),
}
_ERROR_FIELDS = {
    "$.trigger.after": "after",
    "$.trigger.started_by": "started_by",
    "$.trigger.ended_by": "ended_by",
    "$.trigger.key": "key",
    "$.emits": "emits",
    "$.template": "template",
    "$.reentry.seconds": "reentry_after",
    "$.stale_after": "stale_after",
}


def find_reach() -> timedelta:
    """Return how far back a rule may look."""
    return get_registry().reach


def load_names() -> Names:
    """Return the installation's words for a rule's sentence."""
    return Names(reach=find_reach(), sources=get_registry().source_names)


def compose_definition(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule's JSON from the form's cleaned values."""
    template = values.get("template")
    return {
        "format": 1,
        "trigger": _compose_trigger(values),
        "emits": (values.get("emits") or None) if values["kind"] != "event" else None,
        "conditions": values.get("conditions"),
        "template": template.pk if template is not None else None,
        "reentry": _compose_reentry(values),
        "stale_after": _seconds(values.get("stale_after")),
        "send_if_came_back": bool(values.get("send_if_came_back")) and values["kind"] != "event",
    }


def _compose_trigger(values: Mapping[str, Any]) -> dict[str, Any]:
    kind = values["kind"]
    after = _seconds(values.get("after")) or 0
    if kind == "event":
        return {"kind": kind, "event": values.get("event") or ""}
    if kind == "session_end":
        return {"kind": kind, "after": after}
    if kind == "inactivity":
        return {"kind": kind, "after": after, "event": values.get("quiet_event") or None}
    awaited = {name: values.get(name) or "" for name in ("started_by", "ended_by")}
    return {"kind": kind, "after": after, "key": values.get("key") or None} | awaited


def _compose_reentry(values: Mapping[str, Any]) -> dict[str, Any]:
    kind = values.get("reentry") or "always"
    return {"kind": kind, "seconds": _seconds(values.get("reentry_after")) or 0} if kind == "after" else {"kind": kind}


def _seconds(span: timedelta | None) -> int | None:
    return int(span.total_seconds()) if span is not None else None


def read_definition(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stands in the form's fields for a stored rule; the opposite of `compose_definition`."""
    trigger = definition.get("trigger") or {"kind": "event"}
    reentry = definition.get("reentry") or {"kind": "always"}
    kind = trigger["kind"]
    return {
        "kind": kind,
        "event": trigger.get("event") if kind == "event" else "",
        "quiet_event": trigger.get("event") if kind == "inactivity" else "",
        "started_by": trigger.get("started_by", ""),
        "ended_by": trigger.get("ended_by", ""),
        "key": trigger.get("key") or "",
        "after": _span(trigger.get("after")),
        "emits": definition.get("emits") or "",
        "conditions": json.dumps(definition.get("conditions")),
        "template": definition.get("template"),
        "reentry": reentry["kind"],
        "reentry_after": _span(reentry.get("seconds")),
        "stale_after": _span(definition.get("stale_after")),
        "send_if_came_back": definition.get("send_if_came_back", False),
    }


def read_fields(definition: Any) -> dict[str, Any]:
    """Return what stands in the form's fields; those of a new rule for one that cannot be read."""
    try:
        fields = read_definition(definition)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        return read_definition({})
    return fields if fields["kind"] in KIND_FIELDS else read_definition({})


def _span(seconds: int | None) -> timedelta | None:
    return timedelta(seconds=seconds) if seconds is not None else None


def check_rule(definition: Mapping[str, Any]) -> tuple[RuleDefinition | None, list[RuleError]]:
    """Return the parsed rule and all that is wrong with it; None where it cannot even be parsed."""
    try:
        parsed = parse_definition(definition)
    except RuleInvalid as invalid:
        return None, invalid.errors
    return parsed, check_definition(parsed, find_reach(), timedelta(0))


def place_error(error: RuleError, kind: str) -> str:
    """Return the form's field at which an error belongs; `conditions` for one within the tree."""
    if error.path.startswith("$.conditions"):
        return "conditions"
    if error.path == "$.trigger.event":
        return "event" if kind == "event" else "quiet_event"
    return _ERROR_FIELDS.get(error.path, "kind")
