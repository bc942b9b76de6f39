"""The items of our own formats: their fields, what they become, and what is wrong with them in words. Pure."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from tracking.event import IDENTIFY, Item, Rejection
from tracking.traits import OPERATORS
from tracking.wire.fields import drop_own_names

Id = str | int | None
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class EventIn(msgspec.Struct, forbid_unknown_fields=True):
    """An event."""

    event: str
    user_id: Id = None
    anonymous_id: Id = None
    message_id: Id = None
    timestamp: Moment | None = None
    sent_at: Moment | None = None
    properties: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    user_hash: str | None = None


class BatchIn(msgspec.Struct, forbid_unknown_fields=True):
    """Several events, read at once."""

    events: list[EventIn]
    sent_at: Moment | None = None


class RawBatchIn(msgspec.Struct, forbid_unknown_fields=True):
    """Several events, each as it came."""

    events: list[msgspec.Raw]
    sent_at: Moment | None = None


class IdentifyIn(msgspec.Struct, forbid_unknown_fields=True):
    """A user's traits, and operators on them."""

    user_id: Id
    anonymous_id: Id = None
    traits: dict[str, Any] | None = None
    set_once: dict[str, Any] | None = None
    add: dict[str, int | float] | None = None
    append: dict[str, Any] | None = None
    union: dict[str, list[Any]] | None = None
    remove: dict[str, Any] | None = None
    unset: list[str] | None = None
    message_id: Id = None
    timestamp: Moment | None = None
    sent_at: Moment | None = None
    context: dict[str, Any] | None = None
    user_hash: str | None = None


class AliasIn(msgspec.Struct, forbid_unknown_fields=True):
    """Two ids of one person."""

    previous_id: Id
    user_id: Id
    message_id: Id = None
    timestamp: Moment | None = None
    sent_at: Moment | None = None
    user_hash: str | None = None


def make_item(index: int, event: EventIn, batch_sent_at: datetime | None) -> Item | Rejection:
    """Return the item of an event; `batch_sent_at` where it does not say itself when it was sent."""
    if event.event.startswith("$"):
        message = "Names that begin with a dollar sign belong to the platform."
        return Rejection(index=index, code="reserved_event", field="event", message=message)
    return Item(
        index=index,
        name=event.event,
        user_id=read_id(event.user_id),
        anonymous_id=read_id(event.anonymous_id),
        message_id=read_id(event.message_id),
        timestamp=event.timestamp,
        sent_at=event.sent_at or batch_sent_at,
        user_hash=event.user_hash,
        properties=event.properties or {},
        context=drop_own_names(event.context) if event.context else {},
    )


def make_identify(index: int, told: IdentifyIn, batch_sent_at: datetime | None) -> Item:
    """Return the item of an identify, in the same way."""
    return Item(
        index=index,
        name=IDENTIFY,
        user_id=read_id(told.user_id),
        anonymous_id=read_id(told.anonymous_id),
        message_id=read_id(told.message_id),
        timestamp=told.timestamp,
        sent_at=told.sent_at or batch_sent_at,
        user_hash=told.user_hash,
        properties={"traits": told.traits or {}} | _read_operators(told),
        context=drop_own_names(told.context or {}),
    )


def _read_operators(told: IdentifyIn) -> dict[str, Any]:
    return {name: operands for name in OPERATORS if (operands := getattr(told, name)) is not None}


def read_id(value: str | int | None) -> str | None:
    """Return an id as text: numbers are ids too."""
    return str(value) if type(value) is int else value  # type: ignore[return-value]


def describe_error(index: int, error: msgspec.ValidationError) -> Rejection:
    """Return what the decoder refused, with a code and the field's path."""
    text, _, path = str(error).partition(" - at `$")
    field = path.rstrip("`").lstrip(".") or _name_field(text)
    code = "naive_timestamp" if "timezone" in text else "invalid_field"
    return Rejection(index=index, code=code, field=field, message=f"{text.replace('`', chr(39))}.")


def _name_field(text: str) -> str | None:
    """An unknown or missing field stands in the sentence alone."""
    parts = text.split("`")
    return parts[1] if "field" in text and len(parts) == 3 else None
