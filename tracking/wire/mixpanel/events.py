"""Events of Mixpanel's clients, those that say who is who included. Pure."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from tracking.event import ALIAS, IDENTIFY, Item
from tracking.given_ids import PLACEHOLDER, choose_id, describe_placeholder, means_nobody
from tracking.wire.fields import Fields, Unclear, read_id, read_object
from tracking.wire.mixpanel.identity import (
    Ids,
    choose_real_id,
    is_device,
    make_message_id,
    read_ids,
    read_real_id,
    read_time,
    strip_device,
)
from tracking.wire.mixpanel.names import name_event, split_properties

_PATH = "properties."


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says of all its items: the client's clock as it was sent, the address it came from (where the
    client asks to have it noted), whether it is a batch, and whether it may bring history."""

    sent_at: datetime | None = None
    address: str | None = None
    is_batch: bool = False
    is_import: bool = False


class _Said(msgspec.Struct, frozen=True, kw_only=True):
    """The kind of an event, whom it is about, and what it says."""

    name: str
    ids: Ids
    properties: dict[str, Any]
    context: dict[str, Any] = {}


def make_event(index: int, told: Fields, around: Around) -> Item:
    """Return what one event says; raises Unclear."""
    properties = read_object(told, "properties")
    name = told.get("event")
    say = _IDENTITY_EVENTS.get(name) if isinstance(name, str) else None
    said = say(properties) if say is not None else _say_event(name, properties)
    timestamp = read_time(properties, "time", _PATH)
    return Item(
        index=index,
        name=said.name,
        user_id=said.ids.user_id,
        anonymous_id=said.ids.anonymous_id,
        message_id=_read_message_id(told, properties, timestamp),
        timestamp=timestamp,
        sent_at=around.sent_at,
        properties=said.properties,
        context=add_address(said.context, around.address),
        is_import=around.is_import,
    )


def add_address(context: dict[str, Any], address: str | None) -> dict[str, Any]:
    """Return a context that holds the address which a request came from, unless it names another."""
    return {"ip": address} | context if address else context


def _say_event(name: Any, told: Fields) -> _Said:
    known = name_event(name)
    properties, context = split_properties(told, known)
    return _Said(name=known, ids=read_ids(told, _PATH, "distinct_id"), properties=properties, context=context)


def _say_identify(told: Fields) -> _Said:
    """Somebody anonymous turns out to be known; if the former id is no device's, two ids are one person."""
    user_id = _check_known(choose_real_id(told, ("$identified_id", "$user_id", "distinct_id"), _PATH))
    former = choose_real_id(told, ("$anon_distinct_id", "$anon_id"), _PATH)
    device_id = read_id(told, "$device_id")
    _, context = split_properties(told, IDENTIFY)
    if former is None or is_device(former) or former == device_id or means_nobody(former):
        ids = Ids(user_id=user_id, anonymous_id=choose_id(*map(strip_device, filter(None, (former, device_id)))))
        return _Said(name=IDENTIFY, ids=ids, properties={"traits": {}}, context=context)
    return _say_alias(user_id, former, device_id, context)


def _say_create_alias(told: Fields) -> _Said:
    """`alias` is the new name of who was called `distinct_id`."""
    _, context = split_properties(told, ALIAS)
    return _say_alias(read_real_id(told, "alias", _PATH), read_real_id(told, "distinct_id", _PATH), None, context)


def _say_merge(told: Fields) -> _Said:
    """Of two ids the known one, else the first, goes on."""
    both = told.get("$distinct_ids")
    if not isinstance(both, list) or len(both) != 2:
        raise Unclear(f"{_PATH}$distinct_ids", "Give the two ids of one person as a list.")
    pair = [read_real_id({"$distinct_ids": one}, "$distinct_ids", _PATH) or "" for one in both]
    kept, former = sorted(pair, key=is_device)
    return _say_alias(kept, former, None, {})


def _say_alias(user_id: str | None, former: str | None, device_id: str | None, context: dict[str, Any]) -> _Said:
    if not former:
        raise Unclear("properties", "Give both ids of the person.")
    ids = Ids(user_id=_check_known(user_id), anonymous_id=device_id)
    return _Said(name=ALIAS, ids=ids, properties={"previous_id": strip_device(former)}, context=context)


def _check_known(user_id: str | None) -> str:
    if not user_id or is_device(user_id):
        raise Unclear("properties", "One of the ids must be that of a known person.", code="identity_required")
    if means_nobody(user_id):
        raise Unclear("properties", describe_placeholder(user_id), PLACEHOLDER)
    return user_id


_IDENTITY_EVENTS: Mapping[str, Callable[[Fields], _Said]] = {
    "$identify": _say_identify,
    "$create_alias": _say_create_alias,
    "$merge": _say_merge,
}


def _read_message_id(told: Fields, properties: Fields, timestamp: datetime | None) -> str | None:
    """Return the client's id. Without one the whole event tells a retry, if it has a time; if not, nothing does."""
    given = read_id(properties, "$insert_id")
    if given is None and timestamp is not None:
        return make_message_id(told)
    return given
