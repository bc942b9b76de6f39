"""Whether an event's properties fit the schema in force, and if not, where and why in a plain sentence. Pure."""

from collections.abc import Callable
from typing import Any

import jsonschema_rs
import msgspec

from tracking.schema.compile import CompiledSchema
from tracking.schema.paths import write_path
from tracking.schema.validate import MAX_EVENT

ACCEPT, QUARANTINE, REJECT = "accept", "quarantine", "reject"
MISMATCH = "schema_mismatch"
MARK = "$misfit"
MAX_VALUES = MAX_EVENT // 2
"""The most that an event has room for."""
_SHOWN_CHOICES = 8
_KINDS = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """What an event of one name must fit: the schema in force, and what becomes of one that does not."""

    policy: str
    version: int
    validator: CompiledSchema

    def mark(self, misfit: "Misfit") -> dict[str, Any]:
        """Return what the context of an accepted event says of not fitting."""
        return {MARK: {"version": self.version, "field": misfit.field, "message": misfit.message}}


class Misfit(msgspec.Struct, frozen=True, kw_only=True):
    """The first place at which properties do not fit."""

    field: str
    message: str


def find_misfit(schema: CompiledSchema, properties: dict[str, Any]) -> Misfit | None:
    """Return the first place where the properties of an event within its size limit do not fit, or None."""
    if schema.max_values < MAX_VALUES and count_values(properties, schema.max_values) > schema.max_values:
        message = f"This schema checks at most {schema.max_values:,} values of an event: send fewer at once."
        return Misfit(field="properties", message=message)
    try:
        if schema.is_valid(properties):
            return None
        error = schema.find_error(properties)
    except UnicodeEncodeError:
        return Misfit(field="properties", message="A text holds half of a surrogate pair.")
    return describe_error(error) if error is not None else Misfit(field="properties", message="The event does not fit.")


def count_values(value: Any, most: int) -> int:
    """Return how many values there are; counting stops beyond `most`."""
    number, waiting = 0, [value]
    while waiting and number <= most:
        found = waiting.pop()
        number += 1
        if isinstance(found, dict):
            waiting.extend(found.values())
        elif isinstance(found, list):
            waiting.extend(found)
    return number


def describe_error(error: jsonschema_rs.ValidationError) -> Misfit:
    """Return a validator's error in words, at the field that somebody has to mend."""
    steps, detail = list(error.instance_path), error.kind.as_dict()
    word = error.kind.name
    if word == "required":
        field = write_path([*steps, detail["property"]])
        return Misfit(field=field, message=f"`{_name(field)}` is missing.")
    if word == "additionalProperties" and detail.get("unexpected"):
        field = write_path([*steps, detail["unexpected"][0]])
        return Misfit(field=field, message=f"`{_name(field)}` is not expected here.")
    field = write_path(steps)
    subject = f"`{_name(field)}`" if steps else "The event"
    say = _SENTENCES.get(word)
    rest = say(detail) if say is not None else f"does not fit: `{word}`"
    return Misfit(field=field, message=f"{subject} {rest}.")


def _name(field: str) -> str:
    return field.removeprefix("properties.")


def _say_types(detail: dict[str, Any]) -> str:
    return f"must be {' or '.join(_KINDS.get(kind, kind) for kind in detail['types'])}"


def _say_choices(detail: dict[str, Any]) -> str:
    options = [msgspec.json.encode(option).decode() for option in detail["options"]]
    shown = ", ".join(options[:_SHOWN_CHOICES])
    return f"must be one of {shown}" + (
        f" and {len(options) - _SHOWN_CHOICES} more" if options[_SHOWN_CHOICES:] else ""
    )


def _say_value(detail: dict[str, Any]) -> str:
    return f"must be {msgspec.json.encode(detail['expected_value']).decode()[:200]}"


def _count(detail: dict[str, Any], noun: str) -> str:
    return f"{detail['limit']} {noun}{'' if detail['limit'] == 1 else 's'}"


_FORMATS = {
    "date-time": "a date and time with a zone, such as 2026-01-31T12:00:00Z",
    "date": "a date, such as 2026-01-31",
    "email": "an email address",
    "uri": "a web address",
    "uuid": "a UUID",
}

_SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "type": _say_types,
    "enum": _say_choices,
    "const": _say_value,
    "format": lambda detail: f"must be {_FORMATS.get(detail['format'], detail['format'])}",
    "pattern": lambda detail: f"must match the pattern {detail['pattern'][:200]}",
    "minimum": lambda detail: f"must be at least {detail['limit']}",
    "maximum": lambda detail: f"must be at most {detail['limit']}",
    "exclusiveMinimum": lambda detail: f"must be more than {detail['limit']}",
    "exclusiveMaximum": lambda detail: f"must be less than {detail['limit']}",
    "multipleOf": lambda detail: f"must be a multiple of {detail['multiple_of']}",
    "minLength": lambda detail: f"must have at least {_count(detail, 'character')}",
    "maxLength": lambda detail: f"must have at most {_count(detail, 'character')}",
    "minItems": lambda detail: f"must hold at least {_count(detail, 'item')}",
    "maxItems": lambda detail: f"must hold at most {_count(detail, 'item')}",
    "minProperties": lambda detail: f"must hold at least {_count(detail, 'name')}",
    "maxProperties": lambda detail: f"must hold at most {_count(detail, 'name')}",
    "uniqueItems": lambda detail: "holds an item twice",
    "falseSchema": lambda detail: "holds what the schema does not allow",
}
