"""A schema that is taken is sound, local and cheap to check; one that is not says where and why."""

import json
import time
from typing import Any

import pytest

from tracking.schema.compile import SchemaInvalid, compile_schema, parse_schema

DISGUISED = {f"a{level}": {"allOf": [{"$ref": f"#/$defs/%61{level + 1}"}] * 2} for level in range(30)}
DECOYS: dict[str, Any] = {**{f"%61{level}": {} for level in range(31)}, "a30": {}}
CHAINED = {f"a{level}": {"anyOf": [{"$ref": f"#/$defs/a{level + 1}"}]} for level in range(300)} | {"a300": {}}
DOUBLING = {f"a{level}": {"allOf": [{"$ref": f"#/$defs/a{level + 1}"}] * 2} for level in range(30)} | {"a30": {}}

REFUSED = [
    ("{", "$", "This is not JSON"),
    ("[]", "$", "A schema is a JSON object"),
    ('{"type": "strin"}', "$.type", "not valid in a JSON Schema"),
    ('{"properties": {"a": {"minimum": "x"}}}', "$.properties.a.minimum", "not valid in a JSON Schema"),
    ('{"$ref": "https://example.com/schema.json"}', "$.$ref", "only lead to a place in this schema"),
    ('{"$ref": "file:///etc/passwd"}', "$.$ref", "only lead to a place in this schema"),
    ('{"$ref": "#/$defs/lacking"}', "$.$ref", "There is nothing at"),
    ('{"$id": "https://example.com/"}', "$.$id", "is not supported"),
    ('{"$dynamicRef": "https://example.com/"}', "$.$dynamicRef", "is not supported"),
    ('{"$schema": "http://json-schema.org/draft-04/schema#"}', "$.$schema", "2020-12"),
    ('{"properties": {"a": {"pattern": "(?=look)ahead"}}}', "$.properties.a.pattern", "not a regular expression"),
    ('{"properties": {"a": {"pattern": "a{1000}{1000}"}}}', "$.properties.a.pattern", "not a regular expression"),
    ('{"properties": {"a": {"format": "colour"}}}', "$", "colour"),
    (json.dumps({"$defs": DOUBLING, "$ref": "#/$defs/a0"}), "$", "at most 1,000 parts"),
    (json.dumps({"$defs": DISGUISED | DECOYS, "$ref": "#/$defs/%610"}), "$", "at most 1,000 parts"),
    (json.dumps({"$defs": CHAINED, "$ref": "#/$defs/a0"}), "$", "128 deep"),
    ('{"$ref": "#"}', "$", "leads back to itself"),
    ('{"$defs": {"a b": {"$ref": "#/$defs/a%20b"}}, "$ref": "#/$defs/a%20b"}', "$", "leads back to itself"),
    ('{"properties": {"a": {"minimum": ' + "1" * 5_000 + "}}}", "$", "too long a number"),
    ('{"properties": {"a": {"const": 1e999}}}', "$", "too great a number"),
    ('{"a":' * 30 + "1" + "}" * 30, "$.a", "nested"),
    ('{"a":' * 5_000 + "1" + "}" * 5_000, "$", "nested"),
    (json.dumps({"title": "x" * 70_000}), "$", "at most 65,536 characters"),
]


@pytest.mark.parametrize(("text", "path", "message"), REFUSED, ids=range(len(REFUSED)))
def test_a_schema_that_cannot_be_used_says_where_and_why(text: str, path: str, message: str) -> None:
    began = time.thread_time()
    with pytest.raises(SchemaInvalid) as refused:
        parse_schema(text)

    assert refused.value.path.startswith(path)
    assert message in refused.value.message
    assert time.thread_time() - began < 1


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"$schema": "https://json-schema.org/draft/2020-12/schema"},
        {"properties": {"$ref": {"type": "string"}, "$id": {"type": "string"}, "$defs": {"type": "object"}}},
        {"$defs": {"price": {"type": "number"}}, "properties": {"a/b": {"$ref": "#/$defs/price"}}},
        {"properties": {"a/b": {"type": "number"}, "c": {"$ref": "#/properties/a~1b"}}},
        {"$defs": {"50%": {"type": "number"}}, "properties": {"a": {"$ref": "#/$defs/50%25"}}},
    ],
)
def test_ordinary_schemas_are_taken(schema: dict[str, Any]) -> None:
    assert parse_schema(json.dumps(schema)) == schema


def test_a_pattern_made_to_explode_does_not() -> None:
    validator = compile_schema({"properties": {"a": {"pattern": "^(a+)+$"}}})

    began = time.thread_time()
    assert not validator.is_valid({"a": "a" * 30_000 + "b"})
    assert time.thread_time() - began < 1
