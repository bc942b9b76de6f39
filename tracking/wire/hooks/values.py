"""The values that a mapping finds in a payload, as its fields need them: times, ids, names, addresses. Pure.

What a field cannot use raises WrongValue.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from tracking.given_ids import write_id
from tracking.schema.validate import MAX_ID

MAX_EMAIL = 254
_MILLISECONDS = 10**11
"""A Unix time at or above this (the year 5138 in seconds) counts milliseconds."""


class WrongValue(Exception):
    """A value that is not what its field needs."""


def read_moment(value: Any) -> datetime:
    """Return a time in ISO 8601 with a zone, or in Unix seconds or milliseconds."""
    if isinstance(value, str):
        number = value.replace(".", "", 1)
        if not (number.isascii() and number.isdecimal() and len(number) <= 17):
            return _read_iso(value)
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongValue("A time is a text or a number")
    try:
        return datetime.fromtimestamp(value / 1000 if abs(value) >= _MILLISECONDS else value, UTC)
    except (ValueError, OverflowError, OSError):
        raise WrongValue("This number is no time") from None


def _read_iso(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise WrongValue("This text is no time in ISO 8601") from None
    if moment.tzinfo is None:
        raise WrongValue("The time lacks its zone")
    try:
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise WrongValue("This text is no time in ISO 8601") from None


def read_text(value: Any) -> str:
    """Return a name."""
    if not isinstance(value, str):
        raise WrongValue("A name is a text")
    return value.strip()


def read_any_text(value: Any) -> str:
    """Return an id as the sender wrote it, text or a whole number."""
    given = write_id(value)
    if given is None:
        raise WrongValue("An id is a text or a whole number")
    return given


def read_id(value: Any) -> str:
    """Return a person's id."""
    text = read_any_text(value).strip()
    if not 1 <= len(text) <= MAX_ID:
        raise WrongValue(f"An id has 1 to {MAX_ID} characters")
    return text


def read_email(value: Any) -> str:
    """Return an e-mail address."""
    text = value.strip() if isinstance(value, str) else ""
    name, at, domain = text.rpartition("@")
    if not (name and at and domain and len(text) <= MAX_EMAIL) or any(character.isspace() for character in text):
        raise WrongValue("This is no e-mail address")
    return text


def write_value(value: Any) -> str:
    """Return a value as the text that a person would compare it with: text as it is, all else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is msgspec.UNSET else msgspec.json.encode(value).decode()
