"""A draft accepts what it was made from, and claims no more than was seen."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.schema.compile import compile_schema, parse_schema
from tracking.schema.fit import find_misfit
from tracking.schema.infer import MAX_PROPERTIES, infer_schema

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_VALUES = st.recursive(
    _SCALARS, lambda child: st.lists(child, max_size=4) | st.dictionaries(st.text(), child, max_size=4), max_leaves=12
)


@settings(max_examples=100)
@given(st.lists(st.dictionaries(st.text(max_size=3), _VALUES, max_size=5), max_size=30))
def test_a_draft_accepts_every_event_that_it_was_made_from(samples: list[dict[str, Any]]) -> None:
    validator = compile_schema(infer_schema(samples))

    assert [sample for sample in samples if find_misfit(validator, sample) is not None] == []


def infer_property(values: list[Any]) -> dict[str, Any]:
    schema: dict[str, Any] = infer_schema([{"it": value} for value in values])["properties"]["it"]
    return schema


def test_a_property_is_required_when_all_of_enough_events_have_it() -> None:
    often = [{"price": 1, "coupon": "x"}] * 19 + [{"price": 2}]

    assert infer_schema(often)["required"] == ["price"]
    assert "required" not in infer_schema(often[:5])


def test_few_values_that_return_are_choices_and_many_are_not() -> None:
    assert infer_property(["EUR", "USD"] * 10) == {"type": "string", "enum": ["EUR", "USD"]}
    assert infer_property(["EUR", "USD"] * 9) == {"type": "string"}
    assert infer_property([f"sku-{number}" for number in range(40)]) == {"type": "string"}
    assert infer_property(["EUR"] * 20 + ["once"]) == {"type": "string"}
    assert infer_property(["EUR"] * 20) == {"type": "string"}


def test_texts_that_all_look_alike_have_a_format() -> None:
    assert infer_property(["2026-01-31T12:00:00Z"] * 3)["format"] == "date-time"
    assert infer_property(["ada@example.com", "bob@example.com", "c@example.com"])["format"] == "email"
    assert infer_property(["https://shop.example/a"] * 3)["format"] == "uri"
    assert "format" not in infer_property(["ada@example.com", "bob@example.com", "nobody"])
    assert "format" not in infer_property(["key:value"] * 3)


def test_a_price_that_was_whole_a_few_times_is_a_number() -> None:
    assert infer_property([5, 7]) == {"type": "number"}
    assert infer_property(list(range(20))) == {"type": "integer"}
    assert infer_property([*range(20), 4.99]) == {"type": "number"}


def test_kinds_that_vary_are_all_allowed() -> None:
    validator = compile_schema(infer_schema([{"it": 1}, {"it": "x"}, {"it": None}, {"it": [1]}]))

    assert all(find_misfit(validator, {"it": value}) is None for value in (2, "y", None, [3]))
    assert find_misfit(validator, {"it": True}) is not None


def test_names_without_end_do_not_make_a_schema_without_end() -> None:
    schema = infer_schema([{f"key_{number}": 1} for number in range(5_000)])

    assert len(schema["properties"]) == MAX_PROPERTIES


def nest(levels: int, *, in_lists: bool = False) -> dict[str, Any]:
    value: dict[str, Any] = {"leaf": "x"}
    for _ in range(levels):
        value = {"inner": [value] if in_lists else value}
    return value


@pytest.mark.parametrize(
    ("sample", "path"),
    [
        (nest(14), ["inner"] * 10),
        (nest(14, in_lists=True), ["inner"]),
        ({f"k{one}": {f"m{two}": 1 for two in range(20)} for one in range(60)}, ["k0"]),
        ({f"{number}{'x' * 900}": 1 for number in range(90)}, []),
    ],
)
def test_a_draft_of_something_deep_or_wide_can_be_saved_as_it_is(sample: dict[str, Any], path: list[str]) -> None:
    draft = infer_schema([sample] * 20)

    assert parse_schema(json.dumps(draft, indent=2)) == draft
    assert find_misfit(compile_schema(draft), sample) is None
    for name in path:
        draft = draft["properties"][name]
    assert draft["type"] in ("object", "array")
