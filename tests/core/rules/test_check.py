"""What keeps a rule from being activated, and in which words."""

import re
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tests.core.rules.samples import CONSTANTS, compare, make_rule
from triggers.rules.check import check_definition
from triggers.rules.check_conditions import MAX_DEPTH, MAX_NODES
from triggers.rules.definition import RuleDefinition
from triggers.rules.errors import RuleErrorCode
from triggers.rules.nodes import All, Never, Node, Not, OperatorName
from triggers.rules.operators import OPERATORS

YEAR, LATE = timedelta(days=365), timedelta(days=1)


def find_errors(**changes: Any) -> list[tuple[RuleErrorCode, str]]:
    raw = {"format": 1, "trigger": {"kind": "event", "event": "order"}, **changes}
    errors = check_definition(msgspec.convert(raw, RuleDefinition), YEAR, LATE)
    assert all(error.message.endswith(".") for error in errors)
    return [(error.code, error.path) for error in errors]


def find_condition_errors(node: Node) -> list[tuple[RuleErrorCode, str]]:
    return [(error.code, error.path) for error in check_definition(make_rule(node), YEAR, LATE)]


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"trigger": {"kind": "event", "event": " "}}, RuleErrorCode.INVALID_NAME, "$.trigger.event"),
        ({"trigger": {"kind": "event", "event": "x" * 201}}, RuleErrorCode.INVALID_NAME, "$.trigger.event"),
        ({"trigger": {"kind": "event", "event": "a\0"}}, RuleErrorCode.INVALID_NAME, "$.trigger.event"),
        ({"trigger": {"kind": "session_end", "after": 0}}, RuleErrorCode.NOT_POSITIVE, "$.trigger.after"),
        ({"trigger": {"kind": "inactivity", "after": -5}}, RuleErrorCode.NOT_POSITIVE, "$.trigger.after"),
        ({"trigger": {"kind": "inactivity", "after": 365 * 86400}}, RuleErrorCode.TOO_LONG, "$.trigger.after"),
        ({"trigger": {"kind": "inactivity", "after": 10**30}}, RuleErrorCode.TOO_LONG, "$.trigger.after"),
        ({"trigger": {"kind": "inactivity", "after": 9, "event": ""}}, RuleErrorCode.INVALID_NAME, "$.trigger.event"),
        (
            {"trigger": {"kind": "abandonment", "started_by": "a", "ended_by": "a"}},
            RuleErrorCode.INVALID_NAME,
            "$.trigger.ended_by",
        ),
        (
            {"trigger": {"kind": "abandonment", "started_by": "a", "ended_by": "b", "key": "carts[].id"}},
            RuleErrorCode.INVALID_PATH,
            "$.trigger.key",
        ),
        ({"emits": "x"}, RuleErrorCode.INVALID_NAME, "$.emits"),
        ({"trigger": {"kind": "session_end"}, "emits": "$ended"}, RuleErrorCode.INVALID_NAME, "$.emits"),
        (
            {"trigger": {"kind": "abandonment", "started_by": "a", "ended_by": "b"}, "emits": "a"},
            RuleErrorCode.FEEDS_ITSELF,
            "$.emits",
        ),
        (
            {"trigger": {"kind": "inactivity", "after": 60, "event": "user_inactive"}},
            RuleErrorCode.FEEDS_ITSELF,
            "$.emits",
        ),
        ({"reentry": {"kind": "after", "seconds": 0}}, RuleErrorCode.NOT_POSITIVE, "$.reentry.seconds"),
        ({"stale_after": 0}, RuleErrorCode.NOT_POSITIVE, "$.stale_after"),
        ({"template": 0}, RuleErrorCode.INVALID_VALUE, "$.template"),
    ],
)
def test_each_of_these_is_refused(changes: dict[str, Any], code: RuleErrorCode, path: str) -> None:
    assert find_errors(**changes) == [(code, path)]


def test_all_errors_are_told_at_once() -> None:
    found = find_errors(trigger={"kind": "event", "event": ""}, stale_after=-1, template=-1)
    assert [path for _, path in found] == ["$.trigger.event", "$.stale_after", "$.template"]


def test_a_window_may_reach_back_as_far_as_events_are_reliable() -> None:
    longest = int((YEAR - LATE).total_seconds())
    assert find_condition_errors(Never(event="order", within=longest)) == []
    assert find_condition_errors(Never(event="order", within=longest + 1)) == [
        (RuleErrorCode.TOO_LONG, "$.conditions.within")
    ]


def test_a_window_that_is_too_long_is_explained_in_days() -> None:
    (error,) = check_definition(make_rule(Never(event="order", within=400 * 86400)), YEAR, LATE)
    assert "400 days" in error.message
    assert "364 days" in error.message


@pytest.mark.parametrize("operator", list(OperatorName))
def test_every_operator_takes_its_own_values_and_refuses_others(operator: OperatorName) -> None:
    for value in CONSTANTS[operator]:
        assert find_condition_errors(compare(operator, value)) == []
    shape = OPERATORS[operator].shape
    strangers = [None, "", "words", 5, -1, (1,), (2, 1), ("a", "b"), float("nan"), 1e300, "x" * 1001, (), True, "\0"]
    refused = [value for value in strangers if shape.check(value)]
    assert len(refused) >= 5
    for value in refused:
        message = shape.check(value)
        assert message is not None
        assert re.fullmatch(r"[A-Z].*\.", message)
        assert find_condition_errors(compare(operator, value)) == [(RuleErrorCode.INVALID_VALUE, "$.conditions.value")]


@pytest.mark.parametrize(
    ("operator", "value", "code", "path"),
    [
        ("contains", 2, RuleErrorCode.WRONG_OPERATOR, "$.conditions.operator"),
        ("ge", -1, RuleErrorCode.INVALID_VALUE, "$.conditions.value"),
        ("between", 5, RuleErrorCode.INVALID_VALUE, "$.conditions.value"),
        ("ge", [1, 2], RuleErrorCode.INVALID_VALUE, "$.conditions.value"),
        ("between", [3, 1], RuleErrorCode.INVALID_VALUE, "$.conditions.value"),
    ],
)
def test_a_count_is_compared_as_a_number(operator: str, value: Any, code: RuleErrorCode, path: str) -> None:
    count = {"node": "count", "event": "order", "operator": operator, "value": value}
    assert find_errors(conditions=count) == [(code, path)]


def test_an_error_says_where_it_is() -> None:
    bad = compare(OperatorName.GT, "much")
    tree = All(of=(compare(OperatorName.SET), Not(of=All(of=(compare(OperatorName.SET), bad)))))
    assert find_condition_errors(tree) == [(RuleErrorCode.INVALID_VALUE, "$.conditions.of[1].of.of[1].value")]


def test_an_empty_group_is_refused() -> None:
    assert find_condition_errors(All(of=())) == [(RuleErrorCode.EMPTY_GROUP, "$.conditions.of")]


def test_a_tree_may_be_so_deep_and_no_deeper() -> None:
    tree: Node = compare(OperatorName.SET)
    for _ in range(MAX_DEPTH - 1):
        tree = Not(of=tree)
    assert find_condition_errors(tree) == []
    assert [code for code, _ in find_condition_errors(Not(of=tree))] == [RuleErrorCode.TOO_DEEP]


def test_a_tree_may_be_so_large_and_no_larger() -> None:
    leaf = compare(OperatorName.SET)
    assert find_condition_errors(All(of=(leaf,) * (MAX_NODES - 1))) == []
    assert find_condition_errors(All(of=(leaf,) * 5000)) == [(RuleErrorCode.TOO_LARGE, "$.conditions")]
