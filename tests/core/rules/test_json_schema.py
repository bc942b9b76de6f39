"""The published schema says what the parser and the checks say."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from tests.core.rules.samples import compare, make_rule, trees
from triggers.rules.json_schema import rule_json_schema
from triggers.rules.nodes import Node, OperatorName
from triggers.rules.parse import dump_definition
from triggers.rules.recipes import RECIPES

VALIDATOR = Draft202012Validator(rule_json_schema())


def is_valid(document: Any) -> bool:
    return bool(VALIDATOR.is_valid(document))


def with_condition(**condition: Any) -> dict[str, Any]:
    return {"format": 1, "trigger": {"kind": "event", "event": "order"}, "conditions": condition}


def test_the_schema_itself_is_valid() -> None:
    Draft202012Validator.check_schema(rule_json_schema())


def test_recipes_validate() -> None:
    assert all(is_valid(msgspec.json.decode(dump_definition(recipe.definition))) for recipe in RECIPES)


@given(trees)
def test_every_rule_validates(node: Node) -> None:
    assert is_valid(msgspec.json.decode(dump_definition(make_rule(node))))


FIELD = {"from": "event", "path": "a"}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"format": 2, "trigger": {"kind": "session_end"}},
        {"format": 1, "trigger": {"kind": "cron"}},
        {"format": 1, "trigger": {"kind": "session_end"}, "extra": 1},
        with_condition(node="compare", field=FIELD, operator="regex", value="a"),
        with_condition(node="compare", field=FIELD, operator="gt", value="50"),
        with_condition(node="compare", field=FIELD, operator="gt"),
        with_condition(node="compare", field=FIELD, operator="one_of", value=[]),
        with_condition(node="compare", field=FIELD, operator="set", value=1),
        with_condition(node="compare", field={"from": "world", "path": "a"}, operator="set"),
        with_condition(node="count", event="a", operator="contains", value=1),
        with_condition(node="all", of=[{"node": "sometimes"}]),
    ],
)
def test_these_do_not_validate(document: dict[str, Any]) -> None:
    assert not is_valid(document)


def test_every_operator_is_in_the_schema() -> None:
    text = msgspec.json.encode(rule_json_schema()).decode()
    assert all(f'"const":"{operator.value}"' in text for operator in OperatorName)
    assert is_valid(msgspec.json.decode(dump_definition(make_rule(compare(OperatorName.SET)))))
