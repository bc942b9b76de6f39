"""Equality of scalars, as people mean it: `"12345"` in an event equals 12345 typed in a form, and the reverse.

Texts are compared letter by letter, case included. A number typed in a rule also equals the texts that spell it
("12345", "12345.0"); a text typed in a rule equals that text, and the number it spells. `true` and "true" are equal;
a boolean never equals a number.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from triggers.rules.nodes import Scalar
from triggers.rules.values import read_number


class Choice(Struct, frozen=True, kw_only=True):
    """What a rule compares with, sorted by the kind of value it may equal.

    `numbers` are what a number may equal; `spelled`, those of them that were typed as numbers, what a text may spell.
    """

    texts: frozenset[str]
    numbers: frozenset[int | float]
    spelled: frozenset[int | float]
    booleans: frozenset[bool]


def make_choice(values: Iterable[Scalar]) -> Choice:
    """Return the choice of any of the values."""
    texts: set[str] = set()
    numbers: set[int | float] = set()
    spelled: set[int | float] = set()
    booleans: set[bool] = set()
    for value in values:
        if isinstance(value, bool):
            booleans.add(value)
            texts.add("true" if value else "false")
            continue
        number = read_number(value)
        if number is not None:
            numbers.add(number)
        if isinstance(value, str):
            texts.add(value)
            booleans.update({"true": {True}, "false": {False}}.get(value, ()))
        elif number is not None:
            spelled.add(number)
    return Choice(
        texts=frozenset(texts),
        numbers=frozenset(numbers),
        spelled=frozenset(spelled),
        booleans=frozenset(booleans),
    )


def is_among(scalar: Any, choice: Choice) -> bool:
    """Say whether a scalar (as `read_scalar` gives it) equals one of the choice's values; None equals none."""
    kind = type(scalar)
    if kind is str:
        if not choice.spelled:
            return scalar in choice.texts
        return scalar in choice.texts or read_number(scalar) in choice.spelled
    if kind is bool:
        return scalar in choice.booleans
    return scalar in choice.numbers


def has_any(scalars: Sequence[Any], choice: Choice) -> bool:
    """Say whether a list holds one of the choice's values."""
    return any(is_among(scalar, choice) for scalar in scalars)


def has_all(scalars: Sequence[Any], choices: Sequence[Choice]) -> bool:
    """Say whether a list holds a value of every choice."""
    return all(has_any(scalars, choice) for choice in choices)
