"""The names that have been seen: what the rule form offers and what a template may speak of."""

import json
from typing import Any

from tracking.models import EventType, Profile
from tracking.sampling import read_samples
from tracking.schema.observe import find_common_values
from tracking.schema.properties import list_properties, name_kinds

MOST_TYPES = 500
_SAMPLED_PEOPLE = 300
_EVENT_OWN = frozenset({"name", "occurred_at", "properties"})
# What the platform itself says of a silence, before the first one of its kind has been seen.
_SESSION = ("duration_seconds", "events", "pages[]", "last_event", "started_at", "ended_at")
_QUIET = ("last_event", "last_seen_at", "after_seconds")
DERIVED_PROPERTIES: dict[str, tuple[str, ...]] = {"session_end": _SESSION, "inactivity": _QUIET, "abandonment": ()}


def load_vocabulary() -> dict[str, Any]:
    """Return what the rule form offers; the latest types first.

    {"events": {name: {path: {"kinds": [...], "values": [...], "title": ""}}}, "traits": [names], "derived": ...}. What
    an approved schema says of a property comes before what was seen of it.
    """
    types = EventType.objects.select_related("in_force").order_by("-last_seen_at")[:MOST_TYPES]
    events = {row.name: _describe_type(row) for row in sorted(types, key=lambda row: row.name)}
    derived = {kind: list(paths) for kind, paths in DERIVED_PROPERTIES.items()}
    return {"events": events, "traits": sorted(load_traits()), "derived": derived}


def _describe_type(row: EventType) -> dict[str, dict[str, Any]]:
    described = {
        path: {"kinds": name_kinds(seen.get("types", [])), "values": [], "title": ""}
        for path, seen in row.properties.items()
    }
    if row.in_force is None:
        return described
    for path, told in list_properties(json.loads(row.in_force.schema)).items():
        kinds = name_kinds(told.kinds) or described.get(path, {}).get("kinds", [])
        title = told.title or told.description
        described[path] = {"kinds": kinds, "values": list(told.choices), "title": title}
    return described


def load_seen_values(name: str) -> dict[str, list[Any]]:
    """Return, for each property of an event, the values that came more than once among the latest samples."""
    return find_common_values(read_samples(name))


def load_traits() -> set[str]:
    """Return the names of attributes that a sample of the people seen last have."""
    traits = Profile.objects.filter(seen_at__isnull=False).order_by("-seen_at").values_list("traits", flat=True)
    return {name for attributes in traits[:_SAMPLED_PEOPLE] for name in attributes} | {"email"}


def load_known_names() -> dict[str, set[str]]:
    """Return the names behind `event.` and `user.` that a template may use; a root of which nothing was seen lacks."""
    types = EventType.objects.exclude(properties={}).order_by("-last_seen_at").values_list("properties", flat=True)
    paths = [path for properties in types[:MOST_TYPES] for path in properties]
    known = {"user": load_traits() | {"id"}}
    if paths:
        named = {path.partition(".")[0].partition("[")[0].strip('"') for path in paths}
        own = {path.partition("[")[0] for path in (*_SESSION, *_QUIET)} | {"items"}
        known["event"] = named | own | _EVENT_OWN
    return known
