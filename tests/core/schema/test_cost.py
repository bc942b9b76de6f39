"""A check costs little, whatever the schema and however much of an event does not fit it."""

import time
from typing import Any

import pytest

from tracking.schema.compile import MAX_CHECKS, compile_schema
from tracking.schema.fit import find_misfit
from tracking.schema.observe import MAX_VALUES, Sample, limit_samples

LINE = {"type": "object", "required": ["sku", "name", "price", "quantity", "category"]}
NOTHING: list[Any] = [{}] * 10_000
NAMES: dict[str, Any] = {f"n{number}": {} for number in range(3_000)}

# Schema of `it`, its value, and the misfit: where, and the word of the schema that it breaks.
CASES = {
    "items": ({"items": LINE}, NOTHING, "properties.it[0].sku", "missing"),
    "items of each of many": ({"anyOf": [{"items": LINE}] * 12}, NOTHING, "properties.it", "anyOf"),
    "one of many": ({"oneOf": [{"items": LINE}] * 12}, NOTHING, "properties.it", "oneOf"),
    "many of each item": ({"items": {"anyOf": [LINE] * 12}}, NOTHING, "properties.it[0]", "anyOf"),
    "branches of branches": (
        {"anyOf": [{"oneOf": [{"items": LINE}] * 3}] * 4},
        NOTHING,
        "properties.it",
        "anyOf",
    ),
    "then": ({"if": {"items": {}}, "then": {"items": LINE}}, NOTHING, "properties.it[0].sku", "missing"),
    "not": ({"not": {"items": {"not": LINE}}}, NOTHING, "properties.it", "not"),
    "contains": ({"contains": {"anyOf": [LINE] * 12}}, NOTHING, "properties.it", "contains"),
    "unique": ({"uniqueItems": True}, [*({"n": [number]} for number in range(3_000)), {"n": [0]}], "", "twice"),
    "dependent": (
        {"dependentSchemas": {"n1": {"additionalProperties": LINE}}},
        NAMES,
        "properties.it.n0.sku",
        "missing",
    ),
    "other names": ({"additionalProperties": LINE}, NAMES, "properties.it.n0.sku", "missing"),
    "patterns": ({"patternProperties": {f"^n[0-9]{{1,{n}}}$": LINE for n in range(1, 9)}}, NAMES, "", "missing"),
    "names": ({"propertyNames": {"anyOf": [{"pattern": "^a"}] * 12}}, NAMES, "properties.it", "propertyNames"),
    "unevaluated": ({"anyOf": [{"prefixItems": [{}]}] * 4, "unevaluatedItems": LINE}, NOTHING, "", "unevaluated"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_first_error_is_found_without_the_others(case: str) -> None:
    part, value, field, word = CASES[case]
    schema = compile_schema({"properties": {"it": part}})

    began = time.thread_time()
    misfit = find_misfit(schema, {"it": value})

    assert time.thread_time() - began < 0.1
    assert misfit is not None
    assert misfit.field.startswith(field)
    assert word in misfit.message


@pytest.mark.parametrize(
    "part",
    [
        {"items": {"anyOf": [LINE] * 100}},
        {"anyOf": [{"items": LINE}] * 100},
        {"items": {"enum": [*range(500), {}]}},
        {"items": {"$ref": "#/$defs/many"}},
    ],
)
def test_more_checks_than_an_event_may_cost_are_not_made(part: dict[str, Any]) -> None:
    schema = compile_schema({"$defs": {"many": {"allOf": [LINE] * 100}}, "properties": {"it": part}})

    misfit = find_misfit(schema, {"it": NOTHING})

    assert misfit is not None
    assert misfit.field == "properties"
    assert "send fewer" in misfit.message
    few = find_misfit(schema, {"it": NOTHING[:100]})
    assert few is None or "send fewer" not in few.message


@pytest.mark.parametrize(
    "part",
    [
        # An event that is wide, an order with long lines, and a list of products that are looked up.
        {"properties": {f"p{number}": {"type": "string"} for number in range(900)}},
        {"items": LINE | {"properties": {name: {"type": ["string", "number"]} for name in LINE["required"]}}},
        {"items": {"oneOf": [{"required": ["kind"], "properties": {"kind": {"const": n}}} for n in range(10)]}},
        {"items": {"enum": [f"sku-{number}" for number in range(3_000)]}},
    ],
)
def test_an_ordinary_schema_checks_whatever_an_event_may_hold(part: dict[str, Any]) -> None:
    schema = compile_schema({"properties": {"it": part}})

    assert schema.max_values > MAX_CHECKS // 100


@pytest.mark.parametrize(
    "reference",
    ["#/$defs/a~1b/anyOf/1/properties/anyOf", "#/$defs/a~1b/anyOf/1", "#/$defs/a~1b/anyOf/0/oneOf/0", "#/$defs/50%25"],
)
def test_a_reference_into_a_branch_leads_to_where_the_branch_is(reference: str) -> None:
    number = {"type": "number"}
    branches = [{"oneOf": [number, {"const": "x"}]}, {"properties": {"anyOf": number}}]
    definitions = {"a/b": {"anyOf": branches}, "50%": number}
    schema = compile_schema({"$defs": definitions, "properties": {"it": {"$ref": reference}}})

    value: Any = {"anyOf": "x"} if reference.endswith("/1") else "x"
    misfit = find_misfit(schema, {"it": value})

    assert misfit is not None
    assert misfit.message.endswith("must be a number.")
    assert find_misfit(schema, {"it": {"anyOf": 5} if reference.endswith("/1") else 5}) is None


def test_a_constant_that_reads_like_a_schema_stays_as_it_is() -> None:
    constant = {"anyOf": [1, 2]}
    schema = compile_schema({"properties": {"it": {"const": constant}}, "anyOf": [{"required": ["more"]}]})

    assert find_misfit(schema, {"it": constant, "more": 1}) is None
    misfit = find_misfit(schema, {"it": constant})
    assert misfit is not None
    assert misfit.message == "The event does not fit: `anyOf`."


def test_a_page_looks_through_as_many_samples_as_it_has_time_for() -> None:
    sample = Sample(1, {"items": NOTHING})
    small = Sample(1, {"total": 5})

    assert limit_samples([small] * 200) == [small] * 200
    assert len(limit_samples([sample] * 200)) == MAX_VALUES // 10_002
