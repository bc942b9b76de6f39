"""Paths: how a place inside an event is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.rules.paths import EACH, MAX_STEPS, Path, PathInvalid, format_path, parse_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("total", ("total",)),
        ("cart.items", ("cart", "items")),
        ("cart.items[].sku", ("cart", "items", EACH, "sku")),
        ("tags[]", ("tags", EACH)),
        ("rows[][].x", ("rows", EACH, EACH, "x")),
        ('"order.id".value', ("order.id", "value")),
        ('"a\\"b\\\\c[]"', ('a"b\\c[]',)),
        ("Cart Total", ("Cart Total",)),
        ("größe.$x-y", ("größe", "$x-y")),
    ],
)
def test_a_path_names_its_steps(text: str, path: tuple[object, ...]) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize(
    "text", ["", ".", "a.", ".a", "a..b", "[]", "a[0]", "a[", "a]", 'a"b', '"a', '""', "a.[]", "a\\b"]
)
def test_a_path_that_cannot_be_read_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(PathInvalid, match=r"\.$"):
        parse_path(text)


def test_a_path_has_at_most_sixteen_steps() -> None:
    assert len(parse_path(".".join("a" * MAX_STEPS))) == MAX_STEPS
    with pytest.raises(PathInvalid, match="16 steps"):
        parse_path(".".join("a" * (MAX_STEPS + 1)))


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5), st.sets(st.integers(0, 4)))
def test_every_name_can_be_written(names: list[str], lists: set[int]) -> None:
    path: Path = ()
    for place, name in enumerate(names):
        path += (name, EACH) if place in lists else (name,)
    assert parse_path(format_path(path)) == path
