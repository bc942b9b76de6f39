"""Why did rule X not fire? Each answer names what spoke against it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.admin.conftest import Login
from tests.cast import ADA, evaluate, make_rule, make_source, pass_time, report, scan
from tracking.event import IMPORT, NewEvent, compute_user_profile_id
from tracking.models import Event, Source
from triggers.admin.why import Answer, explain_event
from triggers.lifecycle import pause_rule
from triggers.rules.trace import Outcome

ON_PURCHASE: dict[str, Any] = {"kind": "event", "event": "purchase"}
BIG = {"node": "compare", "field": {"from": "event", "path": "total"}, "operator": "gt", "value": 100}
ADA_ID = compute_user_profile_id(ADA)


@pytest.fixture
def shop(log: None) -> Source:
    return make_source()


def _ask(event: NewEvent) -> Answer:
    evaluate()
    (answer,) = explain_event(ADA_ID, event.id)
    return answer


def test_a_rule_that_matched_says_so_with_its_trace(shop: Source) -> None:
    make_rule(trigger=ON_PURCHASE, conditions=BIG)
    answer = _ask(report("purchase", source=shop, properties={"total": 200}))
    assert answer.matched
    assert answer.trace is not None
    assert answer.trace.actual == 200


def test_a_condition_that_does_not_hold_is_named_with_its_actual_value(shop: Source) -> None:
    make_rule(trigger=ON_PURCHASE, conditions=BIG)
    answer = _ask(report("purchase", source=shop, properties={"total": 5}))
    assert (answer.matched, answer.says) == (False, "Its conditions do not hold.")
    assert answer.trace is not None
    assert (answer.trace.outcome, answer.trace.actual) == (Outcome.NOT_MATCHED, 5)


def test_a_condition_without_a_value_is_unknown(shop: Source) -> None:
    make_rule(trigger=ON_PURCHASE, conditions=BIG)
    assert _ask(report("purchase", source=shop)).says == "One of its conditions is unknown."


def test_history_is_that_of_the_events_place_in_the_log(shop: Source) -> None:
    make_rule(trigger=ON_PURCHASE, conditions={"node": "never", "event": "refund", "within": 86_400})
    event = report("purchase", source=shop)
    report("refund", source=shop)
    assert _ask(event).matched


def test_a_rule_that_may_match_once_says_when_it_did(shop: Source) -> None:
    make_rule(trigger=ON_PURCHASE, reentry={"kind": "once"})
    report("purchase", source=shop)
    assert "matches each person once only" in _ask(report("purchase", source=shop)).says


def test_a_rule_that_matched_lately_says_that_it_is_too_soon(shop: Source) -> None:
    make_rule(trigger=ON_PURCHASE, reentry={"kind": "after", "seconds": 3600})
    report("purchase", source=shop)
    assert "may not again so soon" in _ask(report("purchase", source=shop)).says


def test_a_rule_that_was_not_in_force_then_says_so_even_if_it_is_now(shop: Source) -> None:
    event = report("purchase", source=shop)
    evaluate()
    make_rule(trigger=ON_PURCHASE)
    assert _ask(event).says == "It was not active when this event was logged."


def test_a_rule_paused_later_had_matched(shop: Source) -> None:
    rule = make_rule(trigger=ON_PURCHASE)
    event = report("purchase", source=shop)
    evaluate()
    pause_rule(rule)
    assert _ask(event).matched


def test_an_event_that_began_a_wait_says_for_what(shop: Source) -> None:
    make_rule(trigger={"kind": "abandonment", "started_by": "add_to_cart", "ended_by": "purchase", "after": 3600})
    assert "began or moved its wait" in _ask(report("add_to_cart", source=shop)).says
    assert "ended its wait" in _ask(report("purchase", source=shop)).says
    assert "It starts on “cart_abandonment”" in _ask(report("page_view", source=shop)).says


def test_the_silence_of_another_rule_is_said_to_be_its_own(shop: Source) -> None:
    wait = {"kind": "abandonment", "started_by": "add_to_cart", "ended_by": "purchase"}
    make_rule("After an hour", trigger=wait | {"after": 3600})
    make_rule("After two", trigger=wait | {"after": 7200})
    make_rule("Echo", trigger={"kind": "event", "event": "cart_abandonment"})
    report("add_to_cart", source=shop)
    scan()
    pass_time(3700)
    scan()
    (silence,) = Event.objects.filter(name="cart_abandonment")

    told = {answer.rule_name: answer.says for answer in explain_event(ADA_ID, silence.pk)}

    assert told == {
        "After an hour": "It matched.",
        "After two": "This silence was found by the rule “After an hour”: "
        "each rule starts on the silences that it finds itself.",
        "Echo": "It matched.",
    }


def test_imported_and_late_events_say_that_they_start_nothing(shop: Source) -> None:
    make_rule(trigger=ON_PURCHASE)
    assert _ask(report("purchase", source=shop, origin=IMPORT)).says == "Imported history starts no rule."
    late = datetime.now(UTC) - timedelta(days=3)
    assert "too late" in _ask(report("purchase", source=shop, timestamp=late, message_id="m")).says


def test_the_page_is_for_marketers_and_for_the_persons_own_events(shop: Source, login: Login) -> None:
    make_rule("Thanks", trigger=ON_PURCHASE, conditions=BIG)
    own = report("purchase", source=shop, properties={"total": 5})
    foreign = report("purchase", source=shop, user_id="bob")
    evaluate()
    client, url = login("Marketer"), f"/admin/tracking/profile/{ADA_ID}/why"
    assert "Its conditions do not hold." in client.get(f"{url}/{own.id}/").content.decode()
    assert client.get(f"{url}/{foreign.id}/").status_code == 404
    assert login("Operator").get(f"{url}/{own.id}/").status_code == 403


def test_attributes_are_those_known_at_the_events_place_and_not_those_of_today(shop: Source) -> None:
    gold = {"node": "compare", "field": {"from": "profile", "path": "plan"}, "operator": "is", "value": "gold"}
    make_rule(trigger=ON_PURCHASE, conditions=gold)
    report("$identify", source=shop, user_id=None, anonymous_id="phone", properties={"traits": {"plan": "gold"}})
    anonymous = report("purchase", source=shop, user_id=None, anonymous_id="phone")
    report("page_view", source=shop, anonymous_id="phone")
    evaluate()
    known = report("purchase", source=shop)
    evaluate()
    report("$identify", source=shop, user_id=None, anonymous_id="phone", properties={"traits": {"plan": "free"}})
    late = report("purchase", source=shop, user_id=None, anonymous_id="phone")
    evaluate()

    assert [_ask(event).matched for event in (anonymous, known, late)] == [True, True, False]
    traces = [_ask(event).trace for event in (anonymous, known, late)]
    assert [trace.actual for trace in traces if trace is not None] == ["gold", "gold", "free"]
