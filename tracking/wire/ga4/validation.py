"""What `/debug/mp/collect` says of a request: GA4's own limits, in its own codes. Pure.

None of these limits holds for `/mp/collect`, which takes whatever an event of ours may be.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import msgspec

from tracking.wire.fields import Fields
from tracking.wire.ga4.names import RESERVED_PREFIXES, RESERVED_USER_PROPERTIES, is_reserved_event

BACKDATED = timedelta(hours=72)
MAX_BODY = 130_000
MAX_MESSAGES = 100
MAX_SHOWN = 250
"""Characters of a message's path, and of its words: names are as long as their sender likes."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_ITEM_FIELDS = frozenset(
    [
        "item_id",
        "item_name",
        "affiliation",
        "coupon",
        "currency",
        "creative_name",
        "creative_slot",
        "discount",
        "index",
        "item_brand",
        "item_category",
        "item_category2",
        "item_category3",
        "item_category4",
        "item_category5",
        "item_list_id",
        "item_list_name",
        "item_variant",
        "location_id",
        "price",
        "promotion_id",
        "promotion_name",
        "quantity",
    ]
)
_CONSENTS = ("ad_user_data", "ad_personalization")
_NEEDED = {
    "purchase": ("transaction_id", "currency", "value"),
    "refund": ("transaction_id", "currency", "value"),
}


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How many of a kind there may be, and how long their names and values may be."""

    what: str
    number: int
    name: int
    value: int


EVENTS = Limits(what="events", number=25, name=40, value=0)
PARAMS = Limits(what="parameters", number=25, name=40, value=100)
ITEMS = Limits(what="custom parameters of an item", number=10, name=40, value=100)
USER_PROPERTIES = Limits(what="user properties", number=25, name=24, value=36)


class Message(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One objection, as Google words it."""

    field_path: str
    description: str
    validation_code: str


Messages = Iterator[Message]


def list_messages(whole: Fields, size: int, received_at: datetime | None) -> list[Message]:
    """Return what is to be said against a request of `size` bytes, MAX_MESSAGES at most; nothing is the best that can
    be."""
    return list(islice(_find_messages(whole, size, received_at), MAX_MESSAGES))


def _find_messages(whole: Fields, size: int, received_at: datetime | None) -> Messages:
    if size > MAX_BODY:
        yield _say("", "EXCEEDED_MAX_ENTITIES", f"The body may hold {MAX_BODY} bytes; it holds {size}.")
    for check in _CHECKS:
        yield from check(whole)
    if received_at is not None:
        yield from _check_times(whole, received_at)


def _say(path: str, code: str, description: str) -> Message:
    return Message(field_path=_shorten(path), description=_shorten(description), validation_code=code)


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def _check_ids(whole: Fields) -> Messages:
    if not whole.get("client_id") and not whole.get("app_instance_id"):
        yield _say("client_id", "VALUE_REQUIRED", "Give a client_id (web) or an app_instance_id (app).")
    for field in ("client_id", "app_instance_id", "user_id"):
        if whole.get(field) is not None and not isinstance(whole[field], str):
            yield _say(field, "VALUE_INVALID", f"The {field} must be text.")


def _check_events(whole: Fields) -> Messages:
    events = whole.get("events")
    if not events:
        yield _say("events", "VALUE_REQUIRED", "Give a list of events.")
    elif not isinstance(events, list):
        yield _say("events", "VALUE_INVALID", "The events must be a list.")
    else:
        yield from _check_number("events", events, EVENTS)
        for index, event in enumerate(events[: EVENTS.number]):
            yield from _check_event(f"events[{index}]", event)


def _check_event(path: str, event: Any) -> Messages:
    if not isinstance(event, dict):
        yield _say(path, "VALUE_INVALID", "An event must be an object.")
        return
    name = event.get("name")
    if not name:
        yield _say(f"{path}.name", "VALUE_REQUIRED", "Give the event's name.")
        return
    yield from _check_name(f"{path}.name", name, EVENTS)
    if isinstance(name, str) and is_reserved_event(name):
        yield _say(f"{path}.name", "NAME_RESERVED", f"Google keeps the name [{name}] to itself.")
    params = event.get("params")
    if params is not None and not isinstance(params, dict):
        yield _say(f"{path}.params", "VALUE_INVALID", "The parameters must be an object.")
        return
    yield from _check_params(f"{path}.params", params or {})
    yield from _check_needed(f"{path}.params", str(name), params or {})


def _check_params(path: str, params: Fields) -> Messages:
    yield from _check_number(path, params, PARAMS)
    for name, value in params.items():
        if name == "items":
            yield from _check_items(f"{path}.items", value)
        else:
            yield from _check_pair(path, name, value, PARAMS)


def _check_items(path: str, items: Any) -> Messages:
    if not isinstance(items, list):
        yield _say(path, "VALUE_INVALID", "The items must be a list.")
        return
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            yield _say(f"{path}[{index}]", "VALUE_INVALID", "An item must be an object.")
            continue
        custom = {name: value for name, value in item.items() if name not in _ITEM_FIELDS}
        yield from _check_number(f"{path}[{index}]", custom, ITEMS)
        for name, value in custom.items():
            yield from _check_pair(f"{path}[{index}]", name, value, ITEMS)


def _check_needed(path: str, name: str, params: Fields) -> Messages:
    for field in _NEEDED.get(name, ("currency",) if "value" in params else ()):
        if params.get(field) in (None, ""):
            yield _say(f"{path}.{field}", "VALUE_REQUIRED", f"The event [{name}] needs a {field}.")


def _check_user_properties(whole: Fields) -> Messages:
    given = whole.get("user_properties")
    if given is None:
        return
    if not isinstance(given, dict):
        yield _say("user_properties", "VALUE_INVALID", "The user properties must be an object.")
        return
    yield from _check_number("user_properties", given, USER_PROPERTIES)
    for name, held in given.items():
        path = f"user_properties.{name}"
        if not isinstance(held, dict) or "value" not in held:
            yield _say(path, "VALUE_REQUIRED", 'A user property is an object with a "value".')
            continue
        if name in RESERVED_USER_PROPERTIES:
            yield _say(path, "NAME_RESERVED", f"Google keeps the name [{name}] to itself.")
        yield from _check_pair("user_properties", name, held["value"], USER_PROPERTIES)


def _check_consent(whole: Fields) -> Messages:
    consent = whole.get("consent")
    if consent is None:
        return
    if not isinstance(consent, dict):
        yield _say("consent", "VALUE_INVALID", "The consent must be an object.")
        return
    for field in _CONSENTS:
        if consent.get(field, "GRANTED") not in ("GRANTED", "DENIED"):
            yield _say(f"consent.{field}", "VALUE_INVALID", "A consent is GRANTED or DENIED.")


def _check_times(whole: Fields, received_at: datetime) -> Messages:
    events = whole.get("events")
    holders = {"": whole} | {
        f"events[{index}].": event
        for index, event in enumerate(events if isinstance(events, list) else [])
        if isinstance(event, dict)
    }
    for path, holder in holders.items():
        given = holder.get("timestamp_micros")
        if given is None:
            continue
        try:
            moment = datetime.fromtimestamp(int(given) / 1e6, UTC)
        except (TypeError, ValueError, OverflowError, OSError):
            message = "A time is a whole number of microseconds since 1970."
            yield _say(f"{path}timestamp_micros", "VALUE_INVALID", message)
            continue
        if not received_at - BACKDATED <= moment <= received_at + timedelta(hours=1):
            message = "The time lies more than 72 hours back, or ahead."
            yield _say(f"{path}timestamp_micros", "VALUE_OUT_OF_BOUNDS", message)


def _check_number(path: str, held: Mapping[str, Any] | list[Any], limits: Limits) -> Messages:
    if len(held) > limits.number:
        message = f"There may be {limits.number} {limits.what}; there are {len(held)}."
        yield _say(path, "EXCEEDED_MAX_ENTITIES", message)


def _check_pair(path: str, name: str, value: Any, limits: Limits) -> Messages:
    yield from _check_name(f"{path}.{name}", name, limits)
    if name.startswith(RESERVED_PREFIXES):
        yield _say(f"{path}.{name}", "NAME_RESERVED", f"Google keeps names like [{name}] to itself.")
    if not isinstance(value, str | int | float):
        yield _say(f"{path}.{name}", "VALUE_INVALID", f"The value of [{name}] must be text or a number.")
    elif len(str(value)) > limits.value:
        message = f"The value of [{name}] may have {limits.value} characters."
        yield _say(f"{path}.{name}", "VALUE_OUT_OF_BOUNDS", message)


def _check_name(path: str, name: Any, limits: Limits) -> Messages:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        message = f"The name [{name}] must begin with a letter and hold letters, digits and underscores only."
        yield _say(path, "NAME_INVALID", message)
    elif len(name) > limits.name:
        yield _say(path, "NAME_INVALID", f"The name [{name}] may have {limits.name} characters.")


_CHECKS: tuple[Callable[[Fields], Messages], ...] = (
    _check_ids,
    _check_events,
    _check_user_properties,
    _check_consent,
)
