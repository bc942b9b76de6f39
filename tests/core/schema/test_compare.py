"""Two schemas compared in sentences, and a TypeScript file."""

from typing import Any

import pytest

from tracking.schema.compare import compare_schemas

NUMBER = {"properties": {"price": {"type": "number"}}}

CASES: list[tuple[dict[str, Any], dict[str, Any], list[tuple[str, bool]]]] = [
    (NUMBER, NUMBER, []),
    ({}, NUMBER, [("`price` is described: number, optional.", True)]),
    (NUMBER, {}, [("`price` is no longer described.", False)]),
    (NUMBER, NUMBER | {"required": ["price"]}, [("`price` is now required.", True)]),
    (NUMBER | {"required": ["price"]}, NUMBER, [("`price` is no longer required.", False)]),
    (
        NUMBER,
        {"properties": {"price": {"type": ["number", "null"]}}},
        [("`price` was number and is number or null.", False)],
    ),
    (
        {"properties": {"a": {"enum": [1, 2]}}},
        {"properties": {"a": {"enum": [1, 2, 3]}}},
        [("`a` may be 1, 2, 3, before 1, 2.", False)],
    ),
    (
        {"properties": {"a": {"enum": [1, 2]}}},
        {"properties": {"a": {"enum": [1]}}},
        [("`a` may be 1, before 1, 2.", True)],
    ),
    (
        {"properties": {"a": {"minimum": 1}}},
        {"properties": {"a": {"minimum": 2, "format": "email"}}},
        [("`a` has the format email; has minimum 2, before 1.", True)],
    ),
    (
        {"properties": {"a": {"items": {"properties": {"b": {"type": "string"}}}}}},
        {"properties": {"a": {"items": {"properties": {"b": {"type": "number"}}}}}},
        [("`a[].b` was string and is number.", True)],
    ),
    (
        {"$defs": {"p": {"type": "number"}}, "properties": {"a": {"$ref": "#/$defs/p"}}},
        {"properties": {"a": {"type": "number"}}},
        [("The JSON differs in something that no property shows: compare it below.", True)],
    ),
    (
        {},
        {"additionalProperties": False},
        [("The JSON differs in something that no property shows: compare it below.", True)],
    ),
]


@pytest.mark.parametrize(("old", "new", "told"), CASES, ids=range(len(CASES)))
def test_each_difference_is_a_sentence(old: dict[str, Any], new: dict[str, Any], told: list[tuple[str, bool]]) -> None:
    assert [(change.message, change.is_stricter) for change in compare_schemas(old, new)] == told
