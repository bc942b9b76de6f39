"""The shapes of a rule's own values: what each must look like, and how it reaches Python and PostgreSQL.

`check` returns a sentence when a value does not fit. `prepare` gives the constant of the Python expression. `bind`
gives the parameters of the SQL expression, by the names its template uses; with more than one set of them the
expression has to hold for each.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

from triggers.rules.choices import Choice, make_choice
from triggers.rules.values import LARGEST, read_moment, read_number

MAX_TEXT = 1000
MAX_CHOICES = 500
MAX_DURATION = 100 * 366 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlConstant:
    """A parameter and the type it is cast to."""

    value: object
    type: str


Constants: TypeAlias = Mapping[str, SqlConstant]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One shape of value; `schema` is its JSON Schema."""

    check: Callable[[Any], str | None]
    prepare: Callable[[Any], Any]
    bind: Callable[[Any], Sequence[Constants]]
    schema: Mapping[str, Any]


def is_storable(text: str) -> bool:
    """Say whether PostgreSQL can hold the text: no NUL, no lone surrogate."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def check_text(value: Any) -> str | None:
    """Say what is wrong with a text to compare with."""
    if not isinstance(value, str):
        return "Enter a text."
    if not value:
        return "Enter a text; to ask whether there is a value at all, choose “is set”."
    if len(value) > MAX_TEXT:
        return f"This text is longer than {MAX_TEXT} characters."
    return None if is_storable(value) else "This text contains a character that cannot be stored."


def check_number(value: Any) -> str | None:
    """Say what is wrong with a number to compare with."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "Enter a number."
    return None if math.isfinite(value) and abs(value) < LARGEST else "This number is too large."


def _check_scalar(value: Any) -> str | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return check_number(value)
    return check_text(value) if isinstance(value, str) else "Enter one value."


def _check_scalars(value: Any) -> str | None:
    if not isinstance(value, tuple) or not value:
        return "Enter at least one value."
    if len(value) > MAX_CHOICES:
        return f"Enter at most {MAX_CHOICES} values."
    return next((message for item in value if (message := _check_scalar(item))), None)


def check_range(value: Any) -> str | None:
    """Say what is wrong with the two ends of a range."""
    if not isinstance(value, tuple) or len(value) != 2:
        return "Enter two numbers: from and to."
    message = check_number(value[0]) or check_number(value[1])
    if message is None and value[0] > value[1]:
        return "The first number must not be greater than the second."
    return message


def _check_moment(value: Any) -> str | None:
    if read_moment(value) is None:
        return "Enter a date such as 2025-03-01, or a date and time such as 2025-03-01T09:30Z."
    return None


def _check_duration(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        return "Enter a time span of at least one second."
    return None if value <= MAX_DURATION else "This time span is longer than 100 years."


def _check_nothing(value: Any) -> str | None:
    return None if value is None else "This comparison takes no value."


def _bind_choice(choice: Choice) -> Constants:
    return {
        "texts": SqlConstant(value=sorted(choice.texts), type="text[]"),
        "numbers": SqlConstant(value=[_spell(number) for number in choice.numbers], type="numeric[]"),
        "spelled": SqlConstant(value=[_spell(number) for number in choice.spelled], type="numeric[]"),
        "booleans": SqlConstant(value=[str(boolean).lower() for boolean in choice.booleans], type="text[]"),
    }


def _bind_number(value: Any) -> SqlConstant:
    return SqlConstant(value=_spell(read_number(value)), type="numeric")


def _spell(number: Any) -> str:
    return repr(number)


_SCALAR_SCHEMA = {"type": ["string", "number", "boolean"]}
_MANY = {"type": "array", "minItems": 1, "maxItems": MAX_CHOICES, "items": _SCALAR_SCHEMA}

TEXT = Shape(
    check=check_text,
    prepare=lambda value: value,
    bind=lambda value: [{"c": SqlConstant(value=value, type="text")}],
    schema={"type": "string", "minLength": 1, "maxLength": MAX_TEXT},
)
SCALAR = Shape(
    check=_check_scalar,
    prepare=lambda value: make_choice([value]),
    bind=lambda value: [_bind_choice(make_choice([value]))],
    schema=_SCALAR_SCHEMA,
)
ANY_OF = Shape(
    check=_check_scalars,
    prepare=make_choice,
    bind=lambda value: [_bind_choice(make_choice(value))],
    schema=_MANY,
)
ALL_OF = Shape(
    check=_check_scalars,
    prepare=lambda value: tuple(make_choice([item]) for item in value),
    bind=lambda value: [_bind_choice(make_choice([item])) for item in value],
    schema=_MANY,
)
NUMBER = Shape(
    check=check_number,
    prepare=read_number,
    bind=lambda value: [{"c": _bind_number(value)}],
    schema={"type": "number"},
)
RANGE = Shape(
    check=check_range,
    prepare=lambda value: (read_number(value[0]), read_number(value[1])),
    bind=lambda value: [{"low": _bind_number(value[0]), "high": _bind_number(value[1])}],
    schema={"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "number"}},
)
MOMENT = Shape(
    check=_check_moment,
    prepare=read_moment,
    bind=lambda value: [{"c": SqlConstant(value=read_moment(value), type="timestamptz")}],
    schema={"type": "string", "minLength": 10},
)
DURATION = Shape(
    check=_check_duration,
    prepare=lambda value: timedelta(seconds=value),
    bind=lambda value: [{"c": SqlConstant(value=value, type="float8")}],
    schema={"type": "integer", "minimum": 1, "maximum": MAX_DURATION},
)
NOTHING = Shape(
    check=_check_nothing,
    prepare=lambda _: None,
    bind=lambda _: [{}],
    schema={"type": "null"},
)
