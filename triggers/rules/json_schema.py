"""The published JSON Schema of a rule."""

from typing import Any

import msgspec

from triggers.rules.definition import RuleDefinition
from triggers.rules.operators import COUNT_OPERATORS, OPERATORS, Operator


def rule_json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a stored rule.

    It says the shape, the operators and what each is compared with. What depends on the installation (how far back a
    window may reach) or on a value's own grammar (paths, dates) is `check_definition`'s to say.
    """
    schema = msgspec.json.schema(RuleDefinition)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    compare = schema["$defs"]["Compare"]
    compare["allOf"] = [_describe_operator(row) for row in OPERATORS.values()]
    schema["$defs"]["Count"]["properties"]["operator"] = {"enum": sorted(COUNT_OPERATORS)}
    return schema


def _describe_operator(row: Operator) -> dict[str, Any]:
    shape = dict(row.shape.schema)
    is_required = {} if shape == {"type": "null"} else {"required": ["value"]}
    return {
        "if": {"properties": {"operator": {"const": row.name.value}}},
        "then": {"properties": {"value": shape}, **is_required},
    }
