"""Who an event of PostHog's is about, and what it says of them. Pure."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from tracking.given_ids import choose_id, means_nobody
from tracking.wire.fields import Fields, Unclear, read_id, read_object
from tracking.wire.posthog.names import ALIAS_IS_THE_USER, GROUP_IDENTIFY, INITIAL

Ids = tuple[str | None, str | None]
"""User id, anonymous id."""


def read_text(fields: Fields, field: str) -> str:
    """Return a text; anything else is none."""
    value = fields.get(field)
    return value if isinstance(value, str) else ""


def read_ids(event: Fields, properties: Fields) -> Ids:
    """Return whose event it is.

    A library says by a flag that its `distinct_id` is only a device's, or that no profile is to be kept; then it is an
    anonymous id. `$identify` names the anonymous id of before.
    """
    distinct_id = read_id(properties, "distinct_id") or read_id(event, "distinct_id")
    if distinct_id is None:
        raise Unclear("distinct_id", "Give the distinct_id.", code="identity_required")
    device_id = read_text(properties, "$device_id") or None
    if is_anonymous(event, properties, distinct_id):
        return None, choose_id(distinct_id, device_id)
    before = read_id(properties, "$anon_distinct_id")
    if means_nobody(distinct_id):
        return distinct_id, choose_id(before, device_id)
    return distinct_id, before if before != distinct_id else None


def is_anonymous(event: Fields, properties: Fields, distinct_id: str) -> bool:
    """Whether a `distinct_id` names nobody who is known."""
    if event.get("event") == "$identify":
        return False
    if event.get("event") == GROUP_IDENTIFY and properties.get("$is_identified") is not True:
        return _is_made_up(properties, distinct_id)
    if properties.get("$process_person_profile") is False or properties.get("$is_identified") is False:
        return True
    return properties.get("$device_id") == distinct_id


def _is_made_up(properties: Fields, distinct_id: str) -> bool:
    """On servers a group is nobody's: posthog-node makes an id from the group's names, posthog-python draws one."""
    if distinct_id == f"${properties.get('$group_type')}_{properties.get('$group_key')}":
        return True
    try:
        return UUID(distinct_id).version is not None
    except ValueError:
        return False


def read_alias(event: Fields, properties: Fields) -> tuple[str, str]:
    """Return the user's id and the id that is theirs too."""
    distinct_id = read_id(properties, "distinct_id") or read_id(event, "distinct_id")
    alias = read_id(properties, "alias") or read_id(event, "alias")
    if distinct_id is None or alias is None:
        raise Unclear("properties.alias", "An alias has a distinct_id and an alias.")
    if read_text(properties, "$lib") in ALIAS_IS_THE_USER or is_anonymous(event, properties, distinct_id):
        return alias, distinct_id
    return distinct_id, alias


def read_statement(event: Fields) -> dict[str, Any]:
    """Return what an event says of its person: `traits`, `set_once` and `unset`, those that it has."""
    properties = read_object(event, "properties")
    told = {
        "traits": _drop_own(read_object(properties, "$set") | read_object(event, "$set")),
        "set_once": _drop_nulls(_drop_own(read_object(properties, "$set_once") | read_object(event, "$set_once"))),
        "unset": _read_names(properties.get("$unset") or event.get("$unset")),
    }
    return {name: value for name, value in told.items() if value}


def _drop_own(given: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what the app says. posthog-js adds the address of the page and of the first one; of these the first is kept,
    as far as there is anything to it."""
    kept = {name: value for name, value in given.items() if name[:1] != "$"}
    initial = {name[1:]: value for name, value in given.items() if name.startswith(INITIAL)}
    return initial | kept


def _drop_nulls(given: Mapping[str, Any]) -> dict[str, Any]:
    """posthog-js sets all marks of campaigns that there are, nearly all of them to null."""
    return {name: value for name, value in given.items() if value is not None}


def _read_names(value: Any) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []
