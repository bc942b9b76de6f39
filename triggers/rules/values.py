"""What a JSON value means as a text, a number, a date, a list: the one reading that all operators share.

Each function returns None for a value that cannot be read so; a comparison with it is unknown. `kinds.py` holds the
same readings in SQL, and the parity tests keep the two alike.

    text    a text; a whole number below 10^18 as its digits. Not: fractions, booleans, lists, objects.
    number  a number; a text of ASCII digits with an optional minus and fraction ("12345", "-0.5"; not "1e5", " 1",
            "1,5"). Whole numbers are exact; the others are doubles. From 10^300 on, and NaN: none. Nearer to 0 than
            10^-300: 0. Booleans are no numbers.
    scalar  a text, a boolean or a number, as it is.
    moment  a text in ISO 8601: a date (midnight UTC) or a date and time (UTC without a zone), years 1000 to 2999.
            Numbers are no dates: seconds and milliseconds cannot be told apart.
    items   a list, its items read as scalars.
    set     anything but missing, null, "", [] and {}.

null is always the same as missing.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

# Both patterns are used by Python and PostgreSQL as they stand: only syntax that means the same in both.
NUMBER_PATTERN = "-?[0-9]{1,40}([.][0-9]{1,40})?"
_MONTH_DAY = "((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
_LEAP_YEAR = "([12][0-9](0[48]|[2468][048]|[13579][26])|(1[26]|2[048])00)"
ZONE_PATTERN = "(Z|[+-](0[0-9]|1[0-4]):?[0-5][0-9])"
_TIME = f"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{{1,9}})?)?{ZONE_PATTERN}?"
MOMENT_PATTERN = f"([12][0-9]{{3}}-{_MONTH_DAY}|{_LEAP_YEAR}-02-29)([T ]{_TIME})?"

LARGEST = 10**300
SMALLEST = 1e-300
LARGEST_TEXT = 10**18
_EXACT = 2**53

_is_number = re.compile(NUMBER_PATTERN).fullmatch
_is_moment = re.compile(MOMENT_PATTERN).fullmatch


def read_scalar(value: Any) -> str | bool | int | float | None:
    """Return a text, boolean or number as it is."""
    kind = type(value)
    if kind is str or kind is bool:
        return value  # type: ignore[no-any-return]
    return read_number(value)


def read_text(value: Any) -> str | None:
    """Return a text, or the digits of a whole number."""
    if type(value) is str:
        return value
    number = read_number(value)
    if number is None or not -LARGEST_TEXT < number < LARGEST_TEXT or number != int(number):
        return None
    return str(int(number))


def read_number(value: Any) -> int | float | None:
    """Return a number, or the number that a text of digits spells."""
    kind = type(value)
    if kind is int:
        return value if -LARGEST < value < LARGEST else None
    if kind is str and _is_number(value) is not None:
        value = float(value) if "." in value else int(value)
        return value if type(value) is int else _settle_float(value)
    return _settle_float(value) if kind is float else None


def read_moment(value: Any) -> datetime | None:
    """Return the moment (UTC) that an ISO 8601 text names."""
    if type(value) is not str or _is_moment(value) is None:
        return None
    moment = datetime.fromisoformat(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def read_items(value: Any) -> list[str | bool | int | float | None] | None:
    """Return a list's items as scalars; what is none of those becomes None, which equals nothing."""
    return [read_scalar(item) for item in value] if type(value) is list else None


def is_set(value: Any) -> bool:
    """Say whether there is a value at all."""
    return value is not None and value != "" and value != [] and value != {}


def read_step(value: Any, name: str) -> Any:
    """Return what an object holds under a name; None when it is no object or holds nothing."""
    return value.get(name) if type(value) is dict else None


def holds_for_any(items: Any, test: Callable[[Any], bool | None], otherwise: bool | None) -> bool | None:
    """Say whether the test holds for any item: unknown when for none, but unknown for some.

    `otherwise` is the answer when there is no list at all.
    """
    if type(items) is not list:
        return otherwise
    outcome: bool | None = False
    for item in items:
        result = test(item)
        if result:
            return True
        if result is None:
            outcome = None
    return outcome


def _settle_float(value: float) -> int | float | None:
    if -_EXACT < value < _EXACT:
        return value if abs(value) >= SMALLEST else 0
    if not -LARGEST < value < LARGEST:
        return None
    # The digits that were written, not the nearest double's: 1e23 is 10^23, as PostgreSQL has it.
    return int(Decimal(repr(value)))
