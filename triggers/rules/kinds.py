"""The kinds of reading: each with its Python function, its SQL and its word, side by side.

An SQL reading is made from `v`, a jsonb expression, and gives null where the Python function gives None.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from triggers.rules.values import (
    LARGEST,
    LARGEST_TEXT,
    MOMENT_PATTERN,
    NUMBER_PATTERN,
    SMALLEST,
    ZONE_PATTERN,
    read_items,
    read_moment,
    read_number,
    read_scalar,
    read_text,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How a value is read before it is compared. `noun` completes "is not …"."""

    noun: str
    python: Callable[[Any], Any]
    sql: Callable[[str], str]


def _plain_number_sql(v: str) -> str:
    # Whole numbers exact, fractions as doubles in their shortest digits: what Python has after decoding JSON.
    return (
        "(select case"
        f" when abs(n) >= {LARGEST:e}::numeric then null"
        f" when abs(n) < {SMALLEST:e}::numeric then 0::numeric"
        " when scale(n) = 0 then n"
        " else n::float8::text::numeric end"
        f" from (select ({v} #>> '{{}}')::numeric as n offset 0) as written)"
    )


def number_sql(v: str) -> str:
    """Return SQL that reads a jsonb expression as `read_number` does."""
    return (
        f"(case when jsonb_typeof({v}) = 'number'"
        f" or (jsonb_typeof({v}) = 'string' and ({v} #>> '{{}}') ~ '^{NUMBER_PATTERN}$')"
        f" then {_plain_number_sql(v)} end)"
    )


def _scalar_sql(v: str) -> str:
    return (
        f"(case jsonb_typeof({v}) when 'string' then {v} when 'boolean' then {v}"
        f" when 'number' then case when {_plain_number_sql(v)} is not null then {v} end end)"
    )


def _text_sql(v: str) -> str:
    return (
        f"(case jsonb_typeof({v}) when 'string' then {v} #>> '{{}}' when 'number' then"
        f" (select case when n = trunc(n) and abs(n) < {LARGEST_TEXT} then trunc(n)::text end"
        f" from (select {_plain_number_sql(v)} as n) as whole) end)"
    )


def _moment_sql(v: str) -> str:
    # A zone is always said, so that the session's TimeZone has no part in it; digits beyond microseconds are cut.
    return (
        f"(case when jsonb_typeof({v}) = 'string' and ({v} #>> '{{}}') ~ '^{MOMENT_PATTERN}$' then"
        f" (regexp_replace({v} #>> '{{}}', '([.][0-9]{{6}})[0-9]+', '\\1') ||"
        f" case when ({v} #>> '{{}}') ~ '{ZONE_PATTERN}$' then '' else ' UTC' end)::timestamptz end)"
    )


def _items_sql(v: str) -> str:
    return f"(case when jsonb_typeof({v}) = 'array' then {v} end)"


SCALAR = Kind(noun="a text, a number or a yes/no", python=read_scalar, sql=_scalar_sql)
TEXT = Kind(noun="a text", python=read_text, sql=_text_sql)
NUMBER = Kind(noun="a number", python=read_number, sql=number_sql)
MOMENT = Kind(noun="a date", python=read_moment, sql=_moment_sql)
ITEMS = Kind(noun="a list", python=read_items, sql=_items_sql)
