"""What a JSON value means."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.rules.samples import json_values
from triggers.rules.values import is_set, read_items, read_moment, read_number, read_scalar, read_text


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5),
        (5.5, 5.5),
        ("12345", 12345),
        ("-0.5", -0.5),
        ("007", 7),
        (9007199254740993, 9007199254740993),
        (1e23, 10**23),
        (1e-320, 0),
        (10**300, None),
        (float("nan"), None),
        (float("inf"), None),
        (True, None),
        (None, None),
        ("", None),
        (" 1", None),
        ("1e5", None),
        ("1,5", None),
        ("٣", None),
        ("5\n", None),
        ("9" * 41, None),
        ([1], None),
        ({"a": 1}, None),
    ],
)
def test_numbers(value: Any, number: Any) -> None:
    assert read_number(value) == number
    assert type(read_number(value)) is type(number)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        ("", ""),
        (12345, "12345"),
        (5.0, "5"),
        (5.5, None),
        (10**18, None),
        (True, None),
        (None, None),
        ([], None),
    ],
)
def test_texts(value: Any, text: str | None) -> None:
    assert read_text(value) == text


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2025-03-10", datetime(2025, 3, 10, tzinfo=UTC)),
        ("2025-03-10T12:00", datetime(2025, 3, 10, 12, tzinfo=UTC)),
        ("2025-03-10 14:00:00.5+02:00", datetime(2025, 3, 10, 12, 0, 0, 500000, tzinfo=UTC)),
        ("2025-03-10T12:00:00.123456789Z", datetime(2025, 3, 10, 12, 0, 0, 123456, tzinfo=UTC)),
        ("2024-02-29", datetime(2024, 2, 29, tzinfo=UTC)),
        ("2025-02-29", None),
        ("1900-02-29", None),
        ("2025-03-10T24:00:00Z", None),
        ("yesterday", None),
        (1741608000, None),
        (None, None),
    ],
)
def test_moments(value: Any, moment: datetime | None) -> None:
    assert read_moment(value) == moment


@given(st.dates(min_value=datetime(1000, 1, 1).date(), max_value=datetime(2999, 12, 31).date()))
def test_every_day_of_the_calendar_is_a_date(day: Any) -> None:
    moment = read_moment(day.isoformat())
    assert moment is not None
    assert moment.date() == day


@given(st.integers(1000, 2999), st.integers(0, 99), st.integers(0, 99))
def test_no_other_day_is_a_date(year: int, month: int, day: int) -> None:
    text = f"{year}-{month:02}-{day:02}"
    try:
        datetime.fromisoformat(text)
    except ValueError:
        assert read_moment(text) is None


def test_empty_things_are_not_set() -> None:
    assert [value for value in (None, "", [], {}, 0, False, " ", [None], {"a": None}) if not is_set(value)] == [
        None,
        "",
        [],
        {},
    ]


def test_items_that_are_no_scalars_become_nothing() -> None:
    assert read_items([1, "a", None, [1], {"a": 1}, True]) == [1, "a", None, None, None, True]
    assert read_items("a") is None


@given(json_values)
def test_whatever_is_read_is_of_its_kind_or_nothing(value: Any) -> None:
    number, moment, items = read_number(value), read_moment(value), read_items(value)
    assert number is None or (isinstance(number, int | float | Fraction | Decimal) and not isinstance(number, bool))
    assert read_text(value) is None or isinstance(read_text(value), str)
    assert moment is None or moment.tzinfo is not None
    assert (items is None) is not isinstance(value, list)
    assert is_set(value) is (value not in (None, "", [], {}))
    assert not isinstance(read_scalar(value), list | dict)
