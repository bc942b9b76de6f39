"""Why a rule matched or not."""

from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given

from tests.core.rules.samples import DAY, NOW, compare, documents, histories, make_rule, trees
from triggers.rules.compile import compile_rule
from triggers.rules.explain import MAX_ACTUAL, explain_rule
from triggers.rules.facts import Facts, HistoryNeed
from triggers.rules.nodes import All, AnyOf, Count, Never, Node, Not, OperatorName
from triggers.rules.trace import Outcome, Trace, UnknownReason

OUTCOMES = {True: Outcome.MATCHED, False: Outcome.NOT_MATCHED, None: Outcome.UNKNOWN}


def explain(node: Node | None, history: dict[HistoryNeed, int] | None = None, **properties: Any) -> Trace:
    facts = Facts(properties=properties, traits={}, now=NOW, history=history or {})
    return explain_rule(make_rule(node), facts)


@given(node=trees, properties=documents, traits=documents, history=histories)
def test_the_trace_and_the_compiled_rule_give_one_verdict(
    node: Node, properties: Any, traits: Any, history: Any
) -> None:
    verdict = compile_rule(make_rule(node)).test(properties, traits, NOW, history)
    trace = explain_rule(make_rule(node), Facts(properties=properties, traits=traits, now=NOW, history=history))
    assert trace.outcome is OUTCOMES[verdict]
    assert (trace.reason is not None) == (verdict is None)
    assert msgspec.json.decode(msgspec.json.encode(trace), type=Trace).outcome is trace.outcome


def test_every_part_is_told_even_those_that_no_longer_matter() -> None:
    trace = explain(
        All(
            of=(
                compare(OperatorName.GT, 50, "total"),
                Never(event="purchase", within=7 * DAY),
                compare(OperatorName.IS, "EUR", "currency"),
            )
        ),
        {HistoryNeed("purchase", 7 * DAY): 2},
        total=20,
        currency="EUR",
    )
    assert trace.outcome is Outcome.NOT_MATCHED
    assert [(part.sentence, part.actual, part.outcome) for part in trace.of] == [
        ("the event's `total` is more than 50", 20, Outcome.NOT_MATCHED),
        ("they have not done `purchase` in the last 7 days", 2, Outcome.NOT_MATCHED),
        ("the event's `currency` is “EUR”", "EUR", Outcome.MATCHED),
    ]


def test_an_unknown_condition_says_why() -> None:
    found = {
        "missing": explain(compare(OperatorName.GT, 50, "total")),
        "wrong kind": explain(compare(OperatorName.GT, 50, "total"), total="much"),
        "no list": explain(compare(OperatorName.IS, "a", "items[].sku"), items="none"),
        "in an item": explain(compare(OperatorName.GT, 50, "items[].price"), items=[{"price": 1}, {"price": "x"}]),
        "pending": explain(Never(event="purchase")),
        "parts": explain(Not(of=AnyOf(of=(compare(OperatorName.IS, "a", "b"),)))),
    }
    assert {name: (trace.reason, trace.because) for name, trace in found.items()} == {
        "missing": (UnknownReason.MISSING, "there is no value"),
        "wrong kind": (UnknownReason.WRONG_KIND, "“much” is not a number"),
        "no list": (UnknownReason.NO_LIST, "there is no list"),
        "in an item": (UnknownReason.WRONG_KIND, "in an item “x” is not a number"),
        "pending": (UnknownReason.PENDING, "the person's history was not loaded"),
        "parts": (UnknownReason.PARTS, "a part that would decide it is unknown"),
    }


def test_the_reason_is_that_of_the_inner_item_that_is_unknown() -> None:
    node = compare(OperatorName.GT, 50, "orders[].items[].price")
    trace = explain(node, orders=[{"items": []}, {"items": [{"price": 1}]}, {"items": [{"price": "x"}]}])
    assert (trace.reason, trace.because) == (
        UnknownReason.WRONG_KIND,
        "in an item in an item “x” is not a number",
    )
    assert trace.actual == [[], [1], ["x"]]


def test_a_rule_without_conditions_matches_with_a_sentence() -> None:
    assert explain(None) == Trace(sentence="there are no conditions", outcome=Outcome.MATCHED)


def test_a_long_value_is_cut() -> None:
    trace = explain(compare(OperatorName.SET, None, "text"), text="ä" * 5000)
    assert len(trace.actual.encode()) <= MAX_ACTUAL + 3
    assert trace.outcome is Outcome.MATCHED


def test_a_relative_date_is_measured_from_the_event_not_from_the_clock() -> None:
    node = compare(OperatorName.WITHIN_LAST, DAY, "at")
    assert explain(node, at=(NOW - timedelta(hours=23)).isoformat()).outcome is Outcome.MATCHED
    assert explain(node, at=(NOW - timedelta(hours=24)).isoformat()).outcome is Outcome.NOT_MATCHED
    assert explain(node, at=NOW.isoformat()).outcome is Outcome.MATCHED
    assert explain(node, at=(NOW + timedelta(seconds=1)).isoformat()).outcome is Outcome.NOT_MATCHED


def test_a_count_shows_the_count() -> None:
    node = Count(event="visit", within=DAY, operator=OperatorName.BETWEEN, value=(2, 4))
    trace = explain(node, {HistoryNeed("visit", DAY): 3})
    assert (trace.sentence, trace.actual, trace.outcome) == (
        "they have done `visit` 2 to 4 times in the last day",
        3,
        Outcome.MATCHED,
    )
