"""Fields of items that other systems' clients send: read leniently where they vary, refused by path where not. Pure."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tracking.event import Item, Rejection
from tracking.given_ids import write_id
from tracking.schema.validate import TOO_DEEP

Fields = Mapping[str, Any]


class Unclear(Exception):
    """An item cannot be understood: the path of the field, a sentence and a code. It alone is refused."""

    def __init__(self, field: str, message: str, code: str = "invalid_field") -> None:
        super().__init__(message)
        self.field, self.message, self.code = field, message, code


def parse_leniently(index: int, parse: Callable[[], Item]) -> Item | Rejection:
    """Return the item that `parse` makes, or the Rejection that says what it could not understand."""
    try:
        return parse()
    except Unclear as unclear:
        return Rejection(index=index, code=unclear.code, field=unclear.field, message=unclear.message)
    except RecursionError:
        return Rejection(index=index, code="too_deep", message=TOO_DEEP)


def read_name(fields: Fields, field: str) -> str:
    """Return an event's name; those that begin with a dollar sign are ours."""
    name = fields.get(field)
    if not isinstance(name, str):
        raise Unclear(field, "Give the event's name as text.")
    if name.startswith("$"):
        message = "Names that begin with a dollar sign belong to the platform."
        raise Unclear(field, message, code="reserved_event")
    return name


def read_object(fields: Fields, field: str) -> dict[str, Any]:
    """Return an object; none is an empty one."""
    value = fields.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unclear(field, "This must be an object.")
    return value


def read_id(fields: Fields, field: str) -> str | None:
    """Return an id as text; numbers occur, and an empty text means none."""
    value = fields.get(field)
    if value is None or value == "":
        return None
    given = write_id(value)
    if given is None:
        raise Unclear(field, "An id must be text or a whole number.")
    return given


def read_moment(fields: Fields, field: str) -> datetime | None:
    """Return a time given as ISO 8601."""
    value = fields.get(field)
    if value is None:
        return None
    moment = read_moment_leniently(value)
    if moment is None:
        raise Unclear(field, "A time must be ISO 8601, such as 2026-01-31T12:00:00.000Z.")
    return moment


def read_moment_leniently(value: Any) -> datetime | None:
    """Return a time given as ISO 8601, or None; one without a zone is taken for UTC, as Segment does."""
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def drop_own_names(context: Fields) -> dict[str, Any]:
    """Keys with a dollar sign are ours: a client may not set them in an event's context."""
    return {name: value for name, value in context.items() if name[:1] != "$"}
