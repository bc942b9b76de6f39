"""The operators: one row each, and nothing about an operator stands anywhere else.

A row says what it reads (`kind`), what it is compared with (`shape`), its meaning in Python and in SQL, what a value
that is missing or of another kind makes of it (`null_rule`), and its English. In the templates

    {x}      the value, read as the row's kind (of kind None: unread, None or a jsonb null when missing)
    {c}      the rule's constant, as the row's shape prepares it; in SQL by the names that the shape binds
    {now}    the moment of the event

Text is compared letter by letter, case included, in both. The reading of values is defined in `values.py`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final

from triggers.rules import kinds, shapes
from triggers.rules.choices import has_all, has_any, is_among
from triggers.rules.kinds import Kind
from triggers.rules.nodes import OperatorName
from triggers.rules.shapes import Shape
from triggers.rules.values import is_set


class NullRule(Enum):
    """What becomes of a comparison with no value, or one of another kind."""

    UNKNOWN = "Without a value of this kind the comparison is unknown, and unknown never sends."
    ANSWERS = "Without a value it still answers yes or no."


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One row of the table."""

    name: OperatorName
    kind: Kind | None
    shape: Shape
    python: str
    sql: str
    english: str
    null_rule: NullRule = NullRule.UNKNOWN


# Whether {x}, a jsonb scalar, equals one of the choice's values.
_AMONG = (
    "case jsonb_typeof({x})"
    " when 'string' then ({x} #>> '{}') = any({texts}) or coalesce(NUMBER = any({spelled}), false)"
    " when 'number' then NUMBER = any({numbers})"
    " when 'boolean' then ({x} #>> '{}') = any({booleans}) end"
).replace("NUMBER", kinds.number_sql("{x}"))
_HAS_ANY = "exists (select 1 from jsonb_array_elements({x}) as list(item) where AMONG)".replace(
    "AMONG", _AMONG.replace("{x}", "item")
)
_IS_SET = """coalesce({x} not in ('null'::jsonb, '""'::jsonb, '[]'::jsonb, '{}'::jsonb), false)"""

_ROWS: tuple[Operator, ...] = (
    Operator(
        name=OperatorName.IS,
        kind=kinds.SCALAR,
        shape=shapes.SCALAR,
        python="is_among({x}, {c})",
        sql=_AMONG,
        english="is {c}",
    ),
    Operator(
        name=OperatorName.IS_NOT,
        kind=kinds.SCALAR,
        shape=shapes.SCALAR,
        python="not is_among({x}, {c})",
        sql=f"not ({_AMONG})",
        english="is not {c}",
    ),
    Operator(
        name=OperatorName.ONE_OF,
        kind=kinds.SCALAR,
        shape=shapes.ANY_OF,
        python="is_among({x}, {c})",
        sql=_AMONG,
        english="is one of {c}",
    ),
    Operator(
        name=OperatorName.CONTAINS,
        kind=kinds.TEXT,
        shape=shapes.TEXT,
        python="{c} in {x}",
        sql="strpos({x}, {c}) > 0",
        english="contains {c}",
    ),
    Operator(
        name=OperatorName.STARTS_WITH,
        kind=kinds.TEXT,
        shape=shapes.TEXT,
        python="{x}.startswith({c})",
        sql="starts_with({x}, {c})",
        english="starts with {c}",
    ),
    Operator(
        name=OperatorName.ENDS_WITH,
        kind=kinds.TEXT,
        shape=shapes.TEXT,
        python="{x}.endswith({c})",
        sql="right({x}, length({c})) = {c}",
        english="ends with {c}",
    ),
    Operator(
        name=OperatorName.SET,
        kind=None,
        shape=shapes.NOTHING,
        python="is_set({x})",
        sql=_IS_SET,
        english="is set",
        null_rule=NullRule.ANSWERS,
    ),
    Operator(
        name=OperatorName.NOT_SET,
        kind=None,
        shape=shapes.NOTHING,
        python="not is_set({x})",
        sql=f"not {_IS_SET}",
        english="is not set",
        null_rule=NullRule.ANSWERS,
    ),
    Operator(
        name=OperatorName.EQ,
        kind=kinds.NUMBER,
        shape=shapes.NUMBER,
        python="{x} == {c}",
        sql="{x} = {c}",
        english="equals {c}",
    ),
    Operator(
        name=OperatorName.NE,
        kind=kinds.NUMBER,
        shape=shapes.NUMBER,
        python="{x} != {c}",
        sql="{x} <> {c}",
        english="does not equal {c}",
    ),
    Operator(
        name=OperatorName.LT,
        kind=kinds.NUMBER,
        shape=shapes.NUMBER,
        python="{x} < {c}",
        sql="{x} < {c}",
        english="is less than {c}",
    ),
    Operator(
        name=OperatorName.LE,
        kind=kinds.NUMBER,
        shape=shapes.NUMBER,
        python="{x} <= {c}",
        sql="{x} <= {c}",
        english="is at most {c}",
    ),
    Operator(
        name=OperatorName.GT,
        kind=kinds.NUMBER,
        shape=shapes.NUMBER,
        python="{x} > {c}",
        sql="{x} > {c}",
        english="is more than {c}",
    ),
    Operator(
        name=OperatorName.GE,
        kind=kinds.NUMBER,
        shape=shapes.NUMBER,
        python="{x} >= {c}",
        sql="{x} >= {c}",
        english="is at least {c}",
    ),
    Operator(
        name=OperatorName.BETWEEN,
        kind=kinds.NUMBER,
        shape=shapes.RANGE,
        python="{c}[0] <= {x} <= {c}[1]",
        sql="{x} between {low} and {high}",
        english="is between {c}",
    ),
    Operator(
        name=OperatorName.BEFORE,
        kind=kinds.MOMENT,
        shape=shapes.MOMENT,
        python="{x} < {c}",
        sql="{x} < {c}",
        english="is before {c}",
    ),
    Operator(
        name=OperatorName.AFTER,
        kind=kinds.MOMENT,
        shape=shapes.MOMENT,
        python="{x} > {c}",
        sql="{x} > {c}",
        english="is after {c}",
    ),
    Operator(
        name=OperatorName.WITHIN_LAST,
        kind=kinds.MOMENT,
        shape=shapes.DURATION,
        python="{now} - {c} < {x} <= {now}",
        sql="{x} > {now} - make_interval(secs => {c}) and {x} <= {now}",
        english="is within the last {c}",
    ),
    Operator(
        name=OperatorName.WITHIN_NEXT,
        kind=kinds.MOMENT,
        shape=shapes.DURATION,
        python="{now} < {x} <= {now} + {c}",
        sql="{x} > {now} and {x} <= {now} + make_interval(secs => {c})",
        english="is within the next {c}",
    ),
    Operator(
        name=OperatorName.CONTAINS_ANY,
        kind=kinds.ITEMS,
        shape=shapes.ANY_OF,
        python="has_any({x}, {c})",
        sql=_HAS_ANY,
        english="contains any of {c}",
    ),
    Operator(
        name=OperatorName.CONTAINS_ALL,
        kind=kinds.ITEMS,
        shape=shapes.ALL_OF,
        python="has_all({x}, {c})",
        sql=_HAS_ANY,
        english="contains all of {c}",
    ),
    Operator(
        name=OperatorName.CONTAINS_NONE,
        kind=kinds.ITEMS,
        shape=shapes.ANY_OF,
        python="not has_any({x}, {c})",
        sql=f"not {_HAS_ANY}",
        english="contains none of {c}",
    ),
)

OPERATORS: Final[Mapping[OperatorName, Operator]] = {row.name: row for row in _ROWS}

# What the Python templates may call. Generated code sees these names and its constants, no builtins.
VOCABULARY: Final[Mapping[str, Any]] = {
    "is_among": is_among,
    "has_any": has_any,
    "has_all": has_all,
    "is_set": is_set,
}

# A count is compared by the operators of numbers.
COUNT_OPERATORS: Final = frozenset(row.name for row in _ROWS if row.kind is kinds.NUMBER)


_PLACE = re.compile(r"\{([a-z]+)\}")


def fill_template(template: str, **names: str) -> str:
    """Put names in the places of a template. Other braces, those of jsonb and of patterns, stay as they are."""
    return _PLACE.sub(lambda place: names[place[1]], template)


def _make_test(row: Operator) -> Callable[[Any, Any, datetime], bool]:
    source = fill_template(row.python, x="x", c="c", now="now")
    test: Callable[[Any, Any, datetime], bool] = eval(f"lambda x, c, now: {source}", dict(VOCABULARY))
    return test


_TESTS = {row.name: _make_test(row) for row in _ROWS}


def apply_operator(row: Operator, value: Any, constant: Any, now: datetime) -> bool | None:
    """Compare one JSON value, missing as None, with a prepared constant: a row at work, outside generated code."""
    test = _TESTS[row.name]
    if row.kind is None:
        return test(value, constant, now)
    read = row.kind.python(value)
    return None if read is None else test(read, constant, now)
