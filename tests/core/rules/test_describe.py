"""A rule in English."""

from datetime import timedelta

import pytest
from hypothesis import given

from tests.core.rules.samples import CONSTANTS, DAY, compare, make_rule, trees
from triggers.rules.definition import (
    Abandonment,
    After,
    EventTrigger,
    Inactivity,
    Once,
    RuleDefinition,
    SessionEnd,
    Trigger,
)
from triggers.rules.describe import describe_condition, describe_rule
from triggers.rules.nodes import All, AnyOf, Compare, Count, Field, Never, Node, Not, OperatorName, Value
from triggers.rules.operators import OPERATORS
from triggers.rules.wording import Names, describe_duration, describe_value


def test_a_whole_rule_is_one_sentence() -> None:
    rule = RuleDefinition(
        format=1,
        trigger=Abandonment(started_by="add_to_cart", ended_by="purchase", key="cart_id", after=3600),
        conditions=All(
            of=(
                compare(OperatorName.GT, 50, "cart.total"),
                Never(event="purchase", within=7 * DAY),
            )
        ),
        reentry=After(seconds=7 * DAY),
    )
    assert describe_rule(rule) == (
        "When someone does `add_to_cart` but not `purchase` with the same `cart_id` within 1 hour, "
        "and the event's `cart.total` is more than 50, and they have not done `purchase` in the last 7 days "
        "— at most once every 7 days."
    )


def test_a_rule_with_a_message_says_that_what_could_not_be_sent_does_not_count() -> None:
    rule = RuleDefinition(format=1, trigger=EventTrigger(event="order"), template=1, reentry=Once())

    said = describe_rule(rule)

    assert said.endswith("— only once for each person (a message that could not be sent does not count).")


@pytest.mark.parametrize(
    ("trigger", "sentence"),
    [
        (EventTrigger(event="order"), "When someone does `order` — only once for each person."),
        (SessionEnd(), "When someone's session ends (15 minutes without activity) — only once for each person."),
        (Inactivity(after=14 * DAY), "When someone has done nothing for 14 days — only once for each person."),
        (
            Inactivity(after=DAY, event="login"),
            "When someone has not done `login` again for 1 day — only once for each person.",
        ),
    ],
)
def test_every_kind_of_start_is_said(trigger: Trigger, sentence: str) -> None:
    assert describe_rule(RuleDefinition(format=1, trigger=trigger, reentry=Once())) == sentence


@pytest.mark.parametrize(
    ("node", "clause"),
    [
        (compare(OperatorName.ONE_OF, ("a", 5), "sku"), "the event's `sku` is one of “a”, 5"),
        (compare(OperatorName.BETWEEN, (1, 2.5), "n"), "the event's `n` is between 1 and 2.5"),
        (compare(OperatorName.IS, True, "vip"), "the event's `vip` is yes"),
        (compare(OperatorName.AFTER, "2025-03-01", "at"), "the event's `at` is after 2025-03-01 00:00 UTC"),
        (compare(OperatorName.WITHIN_NEXT, 5400, "at"), "the event's `at` is within the next 1 hour 30 minutes"),
        (compare(OperatorName.SET, None, "a"), "the event's `a` is set"),
        (compare(OperatorName.IS, "x", "cart.items[].sku"), "in any item of the event's `cart.items` the `sku` is “x”"),
        (compare(OperatorName.IS, "x", "tags[]"), "any item of the event's `tags` is “x”"),
        (
            Compare(field=Field(scope="profile", path="plan"), operator=OperatorName.IS_NOT, value="free"),
            "the person's `plan` is not “free”",
        ),
        (
            Count(event="order", operator=OperatorName.GE, value=2, within=DAY),
            "they have done `order` at least 2 times in the last day",
        ),
        (
            Count(event="order", operator=OperatorName.EQ, value=1),
            "they have done `order` exactly 1 time as far back as events are kept",
        ),
        (Never(event="order"), "they have never done `order`, as far back as events are kept"),
        (Not(of=compare(OperatorName.SET, None, "a")), "it is not so that the event's `a` is set"),
        (
            AnyOf(of=(All(of=(Never(event="a", within=60), Never(event="b", within=60))), Never(event="c", within=60))),
            "(they have not done `a` in the last minute and they have not done `b` in the last minute) "
            "or they have not done `c` in the last minute",
        ),
    ],
)
def test_conditions_are_said(node: Node, clause: str) -> None:
    assert describe_condition(node) == clause


def test_ever_is_said_as_what_the_installation_keeps() -> None:
    names = Names(reach=timedelta(days=364))
    assert describe_condition(Never(event="order"), names) == "they have not done `order` in the last 12 months"


def test_labels_stand_for_names() -> None:
    names = Names(events={"order": "an order"}, fields={"total": "the total"})
    node = All(of=(Never(event="order", within=60), compare(OperatorName.GT, 5, "total")))
    assert (
        describe_condition(node, names) == "they have not done an order in the last minute and the total is more than 5"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 second"), (90, "1 minute 30 seconds"), (3600, "1 hour"), (1209600, "14 days"), (0, "0 seconds")],
)
def test_durations_are_said_in_their_largest_units(seconds: int, words: str) -> None:
    assert describe_duration(seconds) == words


@pytest.mark.parametrize(("value", "words"), [("a", "“a”"), (5.0, "5"), (False, "no"), (("a", 1), "“a”, 1")])
def test_values_are_said(value: Value, words: str) -> None:
    assert describe_value(value) == words


@given(trees)
def test_every_condition_has_its_words(node: Node) -> None:
    clause = describe_condition(node)
    assert clause
    assert "{" not in clause.replace("{x}", "")
    assert describe_rule(make_rule(node)).endswith(".")


@pytest.mark.parametrize("operator", list(OperatorName))
def test_every_operator_is_said_with_its_value(operator: OperatorName) -> None:
    for value in CONSTANTS[operator]:
        clause = describe_condition(compare(operator, value))
        assert clause.startswith(f"the event's `value` {OPERATORS[operator].english.split(' {c}')[0]}")
