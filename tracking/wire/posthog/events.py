"""An event of PostHog's, and the item that it becomes. Pure."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from engagement.lib.ids import compute_id
from tracking.event import ALIAS, GROUP, IDENTIFY, PAGE_VIEWED, Item, Rejection
from tracking.schema.validate import MAX_ID
from tracking.wire.fields import (
    Fields,
    Unclear,
    parse_leniently,
    read_id,
    read_moment,
    read_object,
)
from tracking.wire.pages import describe_page
from tracking.wire.posthog.names import (
    ALIASES,
    AUTOCAPTURE,
    CLICK_IDS,
    CONTEXT,
    DIRECT,
    ELEMENT_EVENTS,
    GROUP_IDENTIFY,
    IN_THE_ENVELOPE,
    OUR_NAMES,
    OUR_PROPERTIES,
    PAGE_LEFT,
    SET,
    STALE_SENT_AT,
    STATEMENTS,
    UNWANTED,
)
from tracking.wire.posthog.people import read_alias, read_ids, read_statement, read_text

_TELLS_OF_A_PERSON = ("$set", "$set_once", "$unset")
_CHANGES_ON_RETRY = frozenset({"sent_at", "offset"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Described = tuple[str, dict[str, Any]]


def is_wanted(event: Any) -> bool:
    """Whether an event is kept at all."""
    return not isinstance(event, dict) or read_text(event, "event") not in UNWANTED


def cut_event(event: Any) -> list[Any]:
    """Return what an event says of its person, if anything, as an event before it; and the event."""
    if not isinstance(event, dict) or read_text(event, "event") in STATEMENTS or not _says_something(event):
        return [event]
    return [event | {"event": SET} | _name_statement(event), event]


def _name_statement(event: Fields) -> dict[str, str]:
    """Two events of one id may each hold a statement: its id tells of which event it was cut off.

    An id that cannot be read makes none here: the statement and the event are refused for it.
    """
    try:
        given = _read_given_id(event, read_object(event, "properties"))
    except Unclear:
        return {}
    if given is None or len(given) > MAX_ID:
        return {}
    return {"uuid": compute_id("posthog", given, read_text(event, "event")).hex}


def _says_something(event: Fields) -> bool:
    """What cannot be understood says nothing of a person: the event goes on alone."""
    properties = event.get("properties")
    holders = (event, properties) if isinstance(properties, dict) else (event,)
    if not any(name in holder for holder in holders for name in _TELLS_OF_A_PERSON):
        return False
    try:
        return bool(read_statement(event))
    except Unclear:
        return False


def parse_event(index: int, event: Any, sent_at: datetime | None, is_import: bool) -> Item | Rejection:
    """Return the item that an event becomes."""
    return parse_leniently(index, lambda: _make_item(index, event, sent_at, is_import))


def _make_item(index: int, event: Any, sent_at: datetime | None, is_import: bool) -> Item:
    if not isinstance(event, dict):
        raise Unclear("", "An event must be an object.")
    name = read_text(event, "event")
    if not name.strip("$"):
        raise Unclear("event", "Give the event's name as text.")
    properties = read_object(event, "properties")
    ours, told = _DESCRIPTIONS.get(name, _describe_other)(event, properties)
    user_id, anonymous_id = _read_people(name, event, properties)
    timestamp = read_moment(event, "timestamp") or _read_seconds(properties.get("$time"))
    return Item(
        index=index,
        name=ours,
        user_id=user_id,
        anonymous_id=anonymous_id,
        message_id=_choose_message_id(event, name, properties, timestamp),
        timestamp=timestamp,
        sent_at=None if read_text(properties, "$lib") in STALE_SENT_AT else sent_at,
        properties=told,
        context=_read_context(properties),
        is_import=is_import,
    )


def _read_people(name: str, event: Fields, properties: Fields) -> tuple[str | None, str | None]:
    return (read_alias(event, properties)[0], None) if name in ALIASES else read_ids(event, properties)


def _read_seconds(value: Any) -> datetime | None:
    """Return `$time`. An `offset` is no help: it is another one on every retry."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return _EPOCH + timedelta(seconds=value)
    except (OverflowError, ValueError):
        return None


def _read_given_id(event: Fields, properties: Fields) -> str | None:
    return read_id(event, "uuid") or read_id(properties, "$insert_id")


def _choose_message_id(event: Fields, name: str, properties: Fields, timestamp: datetime | None) -> str | None:
    """To PostHog one id may stand for events of several names: those that all become `$identify` keep theirs in it.

    Without an id, an event with its own time is the same event when it comes again; without a time nothing tells.
    """
    given = _read_given_id(event, properties)
    if given is not None or timestamp is None:
        return f"{given}:{name}" if given and name in STATEMENTS and name != SET else given
    lasting = {name: value for name, value in event.items() if name not in _CHANGES_ON_RETRY}
    return compute_id("posthog", msgspec.json.encode(lasting, order="deterministic").decode()).hex


def _describe_statement(event: Fields, properties: Fields) -> Described:
    return IDENTIFY, {"traits": {}} | read_statement(event)


def _describe_group(event: Fields, properties: Fields) -> Described:
    group_id = read_id(properties, "$group_key")
    if group_id is None:
        raise Unclear("properties.$group_key", "Give the group's key.")
    kind = {"group_type": properties["$group_type"]} if "$group_type" in properties else {}
    return GROUP, {"group_id": group_id, "traits": read_object(properties, "$group_set")} | kind


def _describe_alias(event: Fields, properties: Fields) -> Described:
    return ALIAS, {"previous_id": read_alias(event, properties)[1]}


def _describe_autocapture(event: Fields, properties: Fields) -> Described:
    name = ELEMENT_EVENTS.get(read_text(properties, "$event_type"), "element_used")
    return name, _read_properties(properties)


def _describe_page(name: str) -> Callable[[Fields, Fields], Described]:
    return lambda event, properties: (name, _read_page(properties) | _read_properties(properties))


def _describe_other(event: Fields, properties: Fields) -> Described:
    name = event["event"]
    return OUR_NAMES.get(name) or name.lstrip("$"), _read_properties(properties)


_DESCRIPTIONS: dict[str, Callable[[Fields, Fields], Described]] = {
    **dict.fromkeys(STATEMENTS, _describe_statement),
    **dict.fromkeys(ALIASES, _describe_alias),
    GROUP_IDENTIFY: _describe_group,
    AUTOCAPTURE: _describe_autocapture,
    "$pageview": _describe_page(PAGE_VIEWED),
    "$pageleave": _describe_page(PAGE_LEFT),
}


def _read_properties(properties: Fields) -> dict[str, Any]:
    """Return what the app says, and what happened in the library's own words; no accounts of its own."""
    kept = {name: value for name, value in properties.items() if _is_the_apps(name)}
    return {ours: properties[name] for name, ours in OUR_PROPERTIES.items() if name in properties} | kept


def _is_the_apps(name: str) -> bool:
    return name[:1] != "$" and name not in IN_THE_ENVELOPE and name not in CONTEXT and name not in CLICK_IDS


def _read_page(properties: Fields) -> dict[str, Any]:
    referrer = properties.get("$referrer")
    return describe_page(properties.get("$current_url"), None, referrer if referrer != DIRECT else None)


def _read_context(properties: Fields) -> dict[str, Any]:
    context: dict[str, Any] = {}
    for name, (part, *field) in CONTEXT.items():
        value = properties.get(name)
        if value is None:
            continue
        if field:
            context.setdefault(part, {})[field[0]] = value
        else:
            context[part] = value
    page = _read_page(properties)
    clicks = {name: properties[name] for name in CLICK_IDS if properties.get(name) is not None}
    return context | ({"page": page} if page else {}) | ({"click_ids": clicks} if clicks else {})
