"""What does not fit is named by its field and a sentence that needs no knowledge of JSON Schema."""

from typing import Any

import pytest

from tracking.schema.compile import compile_schema
from tracking.schema.fit import find_misfit

CASES = [
    ({"required": ["price"]}, {}, "properties.price", "`price` is missing."),
    ({"type": "number"}, "5", "properties.it", "`it` must be a number."),
    ({"type": ["string", "null"]}, 5, "properties.it", "`it` must be null or a text."),
    ({"enum": ["EUR", "USD"]}, "DM", "properties.it", '`it` must be one of "EUR", "USD".'),
    ({"enum": list(range(10))}, 11, "properties.it", "`it` must be one of 0, 1, 2, 3, 4, 5, 6, 7 and 2 more."),
    ({"const": 5}, 6, "properties.it", "`it` must be 5."),
    ({"minimum": 0}, -1, "properties.it", "`it` must be at least 0."),
    ({"maxLength": 3}, "long", "properties.it", "`it` must have at most 3 characters."),
    ({"format": "email"}, "nobody", "properties.it", "`it` must be an email address."),
    ({"pattern": "^a$"}, "b", "properties.it", "`it` must match the pattern ^a$."),
    ({"minItems": 1}, [], "properties.it", "`it` must hold at least 1 item."),
    ({"items": {"type": "number"}}, [1, "x"], "properties.it[1]", "`it[1]` must be a number."),
    ({"properties": {"a.b": {"type": "number"}}}, {"a.b": ""}, 'properties.it."a.b"', '`it."a.b"` must be a number.'),
    (
        {"additionalProperties": False, "properties": {"a": {}}},
        {"b": 1},
        "properties.it.b",
        "`it.b` is not expected here.",
    ),
    ({"anyOf": [{"type": "number"}, {"type": "null"}]}, "", "properties.it", "`it` does not fit: `anyOf`."),
    ({"format": "email"}, "\ud800", "properties", "A text holds half of a surrogate pair."),
]


@pytest.mark.parametrize(("schema", "value", "field", "message"), CASES, ids=range(len(CASES)))
def test_a_misfit_is_said_in_words(schema: dict[str, Any], value: Any, field: str, message: str) -> None:
    whole = schema if "required" in schema else {"properties": {"it": schema}}

    misfit = find_misfit(compile_schema(whole), {"it": value})

    assert misfit is not None
    assert (misfit.field, misfit.message) == (field, message)


def test_what_fits_says_nothing() -> None:
    assert find_misfit(compile_schema({"required": ["it"]}), {"it": 1, "more": 2}) is None
