"""A compiled rule: three-valued, exact, and deaf to what is written in names and values."""

import itertools
from types import FunctionType
from typing import Any

import pytest

from tests.core.rules.samples import CONSTANTS, DAY, NOW, compare, make_rule
from triggers.rules.check_conditions import MAX_DEPTH, MAX_NODES
from triggers.rules.compile import compile_rule, index_rules
from triggers.rules.definition import EventTrigger, Inactivity, RuleDefinition, SessionEnd, Trigger
from triggers.rules.errors import RuleInvalid
from triggers.rules.facts import HistoryNeed
from triggers.rules.nodes import All, AnyOf, Compare, Count, Field, Never, Node, Not, OperatorName, Value

TRUE = compare(OperatorName.EQ, 1, "one")
FALSE = compare(OperatorName.EQ, 2, "one")
UNKNOWN = compare(OperatorName.EQ, 1, "missing")
LEAVES: dict[bool | None, Node] = {True: TRUE, False: FALSE, None: UNKNOWN}


def evaluate(node: Node | None, properties: Any = None, history: Any = None) -> bool | None:
    return compile_rule(make_rule(node)).test(properties or {"one": 1}, {}, NOW, history or {})


def decide(operator: OperatorName, value: Value, actual: Any) -> bool | None:
    return evaluate(compare(operator, value), {"value": actual})


def test_a_rule_without_conditions_always_matches() -> None:
    assert evaluate(None) is True


@pytest.mark.parametrize("outcomes", list(itertools.product([True, False, None], repeat=3)))
def test_groups_are_three_valued(outcomes: tuple[bool | None, ...]) -> None:
    children = tuple(LEAVES[outcome] for outcome in outcomes)
    all_of = False if False in outcomes else None if None in outcomes else True
    any_of = True if True in outcomes else None if None in outcomes else False
    assert evaluate(All(of=children)) is all_of
    assert evaluate(AnyOf(of=children)) is any_of
    assert evaluate(Not(of=All(of=children))) is (None if all_of is None else not all_of)


@pytest.mark.parametrize(
    ("operator", "value", "actual"),
    [
        (OperatorName.IS, "12345", 12345),
        (OperatorName.IS, 12345, "12345"),
        (OperatorName.IS, "12345", "12345"),
        (OperatorName.IS, 12345, 12345.0),
        (OperatorName.EQ, 12345, "12345"),
        (OperatorName.ONE_OF, ("1", "12345"), 12345),
        (OperatorName.CONTAINS_ANY, (12345,), ["12345"]),
        (OperatorName.STARTS_WITH, "123", 12345),
        (OperatorName.IS, "true", True),
        (OperatorName.IS, True, "true"),
    ],
)
def test_text_and_number_meet_both_ways(operator: OperatorName, value: Value, actual: Any) -> None:
    assert decide(operator, value, actual) is True


@pytest.mark.parametrize(
    ("operator", "value", "actual"),
    [
        (OperatorName.IS, "1", True),
        (OperatorName.IS, True, 1),
        (OperatorName.IS, "12345", "012345"),
        (OperatorName.IS, "a", "A"),
        (OperatorName.EQ, 9007199254740993, 9007199254740992),
        (OperatorName.GT, 50, 50),
        (OperatorName.CONTAINS, "%", "abc"),
        (OperatorName.CONTAINS_ANY, ("a",), []),
    ],
)
def test_these_do_not_match(operator: OperatorName, value: Value, actual: Any) -> None:
    assert decide(operator, value, actual) is False


@pytest.mark.parametrize(
    "operator", [name for name in OperatorName if name not in (OperatorName.SET, OperatorName.NOT_SET)]
)
def test_a_comparison_without_a_value_is_unknown(operator: OperatorName) -> None:
    from_samples = CONSTANTS[operator][0]
    assert decide(operator, from_samples, None) is None
    assert evaluate(compare(operator, from_samples, "missing.deeper")) is None
    assert evaluate(compare(operator, from_samples, "missing[].deeper")) is None


def test_text_that_is_no_number_makes_a_numeric_comparison_unknown() -> None:
    assert decide(OperatorName.GT, 50, "much") is None
    assert decide(OperatorName.NE, 50, "much") is None


def test_set_and_not_set_are_never_unknown() -> None:
    actuals: list[Any] = [None, "", 0, []]
    assert [decide(OperatorName.SET, None, actual) for actual in actuals] == [False, False, True, False]
    assert [decide(OperatorName.NOT_SET, None, actual) for actual in actuals] == [True, True, False, True]


def test_any_item_of_a_list_is_enough() -> None:
    node = compare(OperatorName.IS, "b", "items[].sku")
    assert evaluate(node, {"items": [{"sku": "a"}, {"sku": "b"}]}) is True
    assert evaluate(node, {"items": [{"sku": "a"}]}) is False
    assert evaluate(node, {"items": [{"sku": "a"}, {}]}) is None
    assert evaluate(node, {"items": [{}, {"sku": "b"}]}) is True
    assert evaluate(node, {"items": []}) is False
    assert evaluate(node, {"items": "b"}) is None


def test_a_count_is_unknown_until_the_history_is_loaded() -> None:
    node = Count(event="purchase", within=7 * DAY, operator=OperatorName.GE, value=2)
    need = HistoryNeed("purchase", 7 * DAY)
    assert compile_rule(make_rule(node)).needs == (need,)
    assert evaluate(node) is None
    assert evaluate(node, history={HistoryNeed("purchase", DAY): 5}) is None
    assert [evaluate(node, history={need: count}) for count in (0, 1, 2, 3)] == [False, False, True, True]


def test_the_event_alone_decides_where_it_can() -> None:
    never = Never(event="purchase", within=None)
    assert evaluate(All(of=(never, FALSE))) is False
    assert evaluate(AnyOf(of=(never, TRUE))) is True
    assert evaluate(All(of=(never, TRUE))) is None


def test_needs_are_listed_once() -> None:
    never = Never(event="purchase", within=60)
    count = Count(event="purchase", within=60, operator=OperatorName.EQ, value=1)
    rule = compile_rule(make_rule(AnyOf(of=(never, Not(of=All(of=(count, Never(event="visit"))))))))
    assert rule.needs == (HistoryNeed("purchase", 60), HistoryNeed("visit", None))


def test_rules_are_found_by_the_event_they_start_on() -> None:
    definitions: dict[str, Trigger] = {
        "order": EventTrigger(event="order"),
        "second order": EventTrigger(event="order"),
        "quiet": Inactivity(after=60),
        "session": SessionEnd(),
    }
    rules = {key: compile_rule(RuleDefinition(format=1, trigger=trigger)) for key, trigger in definitions.items()}
    index = index_rules(rules.items())
    assert {event: [key for key, _ in found] for event, found in index.items()} == {
        "order": ["order", "second order"],
        "user_inactive": ["quiet"],
        "session_ended": ["session"],
    }


EVIL = [
    "__import__('os').system('touch /tmp/owned')",
    "k0",
    "v1",
    "properties",
    "'",
    '"',
    '"""',
    "\\",
    "a\nb",
    "{x}",
    "{c}",
    "%s",
    "); (",
    "lambda: 1",
    "__class__",
]


@pytest.mark.parametrize("evil", EVIL)
def test_what_a_person_typed_is_never_code(evil: str) -> None:
    path = '"' + evil.replace("\\", "\\\\").replace('"', '\\"') + '"'
    of_event, of_person = Field(scope="event", path=path), Field(scope="profile", path=f"{path}.{path}")
    conditions = All(
        of=(
            Compare(field=of_event, operator=OperatorName.IS, value=evil),
            Compare(field=of_event, operator=OperatorName.CONTAINS, value=evil),
            Compare(field=of_person, operator=OperatorName.ONE_OF, value=(evil, "other")),
            Never(event=evil, within=60),
        )
    )
    test = compile_rule(make_rule(conditions)).test
    history = {HistoryNeed(evil, 60): 0}
    assert test({evil: evil}, {evil: {evil: evil}}, NOW, history) is True
    assert test({evil: evil + "x"}, {evil: {evil: evil}}, NOW, history) is False


def test_generated_code_has_no_builtins() -> None:
    test = compile_rule(make_rule(TRUE)).test
    assert isinstance(test, FunctionType)
    assert test.__globals__["__builtins__"] == {}


def test_the_largest_rule_that_is_allowed_compiles() -> None:
    wide: Node = All(of=tuple(compare(OperatorName.EQ, 1, "one") for _ in range(MAX_NODES - MAX_DEPTH + 1)))
    for _ in range(MAX_DEPTH - 2):
        wide = Not(of=wide)
    assert evaluate(wide) is (MAX_DEPTH % 2 == 0)


def test_a_path_as_deep_as_allowed_compiles() -> None:
    node = compare(OperatorName.EQ, 1, ".".join(["a[]"] * 8))
    value: Any = 1
    for _ in range(8):
        value = {"a": [value]}
    assert evaluate(compare(OperatorName.EQ, 1, ".".join(["a[]"] * 8)), value) is True
    assert evaluate(node, {"a": []}) is False


def test_conditions_that_mean_nothing_do_not_compile() -> None:
    with pytest.raises(RuleInvalid):
        compile_rule(make_rule(compare(OperatorName.GT, "much")))
    with pytest.raises(RuleInvalid):
        compile_rule(make_rule(compare(OperatorName.GT, 5, "a..b")))
