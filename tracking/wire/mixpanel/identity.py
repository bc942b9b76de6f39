"""Whom an item of Mixpanel's clients is about, and when it was. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from engagement.lib.ids import compute_id
from tracking.given_ids import PLACEHOLDER, choose_id, describe_placeholder, means_nobody
from tracking.wire.fields import Fields, Unclear, read_id, read_moment_leniently

_DEVICE = "$device:"
_LEAST_MILLISECONDS = 1e11


class Ids(msgspec.Struct, frozen=True, kw_only=True):
    """The ids of a person, as the platform takes them."""

    user_id: str | None
    anonymous_id: str | None


def read_ids(fields: Fields, path: str, distinct: str) -> Ids:
    """Return who somebody is by `$user_id`, `$device_id` and the field `distinct`; raises Unclear if none is real."""
    user_id = _read_id(fields, "$user_id", path)
    device_id = _read_device_id(fields)
    distinct_id = _read_id(fields, distinct, path)
    if distinct_id is not None and distinct_id.startswith(_DEVICE):
        device_id = choose_id(device_id, strip_device(distinct_id))
    elif distinct_id != device_id:
        # Clients of former years give an anonymous person the bare id of the device.
        user_id = choose_id(user_id, distinct_id)
    chosen = choose_id(user_id, device_id)
    if chosen is not None and means_nobody(chosen):
        raise Unclear(path + distinct, describe_placeholder(chosen), PLACEHOLDER)
    return Ids(user_id=user_id, anonymous_id=device_id)


def read_real_id(fields: Fields, field: str, path: str = "") -> str | None:
    """Return an id as text; raises Unclear for one that means nobody."""
    value = _read_id(fields, field, path)
    if value is not None and means_nobody(strip_device(value)):
        raise Unclear(path + field, describe_placeholder(value), PLACEHOLDER)
    return value


def choose_real_id(fields: Fields, names: Sequence[str], path: str = "") -> str | None:
    """Return the first id that stands for somebody, else the first that is given at all."""
    return choose_id(*[_read_id(fields, name, path) for name in names])


def _read_id(fields: Fields, field: str, path: str) -> str | None:
    try:
        return read_id(fields, field)
    except Unclear as unclear:
        raise Unclear(path + field, unclear.message) from None


def _read_device_id(fields: Fields) -> str | None:
    """Return the id of a device. One that cannot be read is passed over: the person's own id may be good."""
    try:
        value = read_id(fields, "$device_id")
    except Unclear:
        return None
    return strip_device(value) if value is not None else None


def strip_device(value: str) -> str:
    """Return an id without the mark of a device."""
    return value.removeprefix(_DEVICE)


def is_device(value: str) -> bool:
    """Whether an id says that it is a device's."""
    return value.startswith(_DEVICE)


def read_time(fields: Fields, field: str, path: str = "") -> datetime | None:
    """Return a time given in seconds, in milliseconds or as ISO 8601; raises Unclear."""
    value = fields.get(field)
    if value is None or value == "":
        return None
    moment = _read_number(value) or read_moment_leniently(value)
    if moment is None:
        raise Unclear(path + field, "A time must be seconds or milliseconds since 1970.")
    return moment


def read_time_leniently(fields: Fields, field: str) -> datetime | None:
    """Return a time, or None where it cannot be read."""
    try:
        return read_time(fields, field)
    except Unclear:
        return None


def _read_number(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
        seconds = seconds if abs(seconds) <= _LEAST_MILLISECONDS else seconds / 1000
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def make_message_id(told: Mapping[str, Any]) -> str:
    """Return an id for what carries a time but no id: it is the same when it comes again."""
    return compute_id("mixpanel", msgspec.json.encode(told, order="deterministic").decode()).hex
