"""Imported history and silence: a silence counts when it is complete, however its last event came in."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from tests.cast import CART, deliver, evaluate, make_rule, make_template, pass_time, report, scan
from tracking.event import DERIVED, IMPORT
from tracking.log.horizon import record_tick
from tracking.models import Event, Profile, Source
from triggers.admin import rule_effects
from triggers.admin.rule_effects import count_past
from triggers.detect import arm_from_log
from triggers.detect.scan_timers import scan_timers
from triggers.lifecycle import activate_rule, pause_rule, resume_rule
from triggers.models import Activation, Delivery, Detector, Rule, RuleVersion, Timer
from triggers.rules.parse import parse_definition
from triggers.worker import get_worker

DAY = 86_400
QUIET = {"kind": "inactivity", "after": 30 * DAY}
NAMED = QUIET | {"event": "purchase"}
LEFT = CART | {"after": 30 * DAY}
NEARLY = 30 * DAY - 50
WAYS = [QUIET, NAMED, LEFT | {"started_by": "purchase", "ended_by": "refund"}]


def remember(source: Source, user_id: str, *ages: float, name: str = "purchase", cart: str = "c1") -> None:
    """Import what somebody did so many seconds ago, in this order."""
    for age in ages:
        moment = datetime.now(UTC) - timedelta(seconds=age)
        report(name, source=source, user_id=user_id, timestamp=moment, origin=IMPORT, properties={"cart_id": cart})


def found() -> list[str]:
    return sorted(str(event.user_id) for event in Event.objects.filter(origin=DERIVED))


def draft(trigger: dict[str, object], **definition: object) -> Rule:
    return Rule.objects.create(name="Quiet", definition={"format": 1, "trigger": trigger} | definition)


@pytest.mark.parametrize("trigger", WAYS)
def test_a_silence_is_found_in_whatever_order_its_history_came_in(source: Source, trigger: dict[str, object]) -> None:
    make_rule(trigger=trigger)
    orders: Sequence[tuple[float, ...]] = list(itertools.permutations((200 * DAY, 100 * DAY, NEARLY)))
    for number, order in enumerate(orders):
        remember(source, f"p{number}", *order)
    assert scan() == 0
    pass_time(120)

    assert scan() == len(orders)
    assert scan() == 0
    assert found() == [f"p{number}" for number in range(len(orders))]


@pytest.mark.parametrize("trigger", WAYS)
def test_history_that_came_before_its_rule_counts_from_the_activation_on(
    source: Source, trigger: dict[str, object]
) -> None:
    remember(source, "later", 100 * DAY, NEARLY)
    remember(source, "earlier", 100 * DAY, 31 * DAY)
    evaluate()
    make_rule(trigger=trigger)
    assert scan() == 0
    pass_time(120)

    assert (scan(), found()) == (1, ["later"])


@pytest.mark.parametrize("trigger", WAYS)
def test_a_silence_that_was_complete_before_its_history_came_in_is_found(
    source: Source, trigger: dict[str, object]
) -> None:
    make_rule(trigger=trigger)
    scan()
    pass_time(5 * DAY)
    scan()
    remember(source, "since", 32 * DAY, 100 * DAY)
    remember(source, "before", 36 * DAY, 100 * DAY)

    scan()
    scan()
    assert found() == ["since"]
    silence = Event.objects.get(origin=DERIVED)
    assert abs(silence.occurred_at - (datetime.now(UTC) - timedelta(days=2))) < timedelta(minutes=1)


@pytest.mark.parametrize("trigger", WAYS)
def test_what_was_complete_before_the_activation_is_included_on_request_once(
    source: Source, trigger: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arm_from_log, "PAGE", 2)
    for number in range(5):
        remember(source, f"p{number}", 31 * DAY, 200 * DAY)
    evaluate()
    rule = draft(trigger)
    activate_rule(rule, include_past=True)

    assert scan() == 5
    assert scan() == 0
    assert found() == [f"p{number}" for number in range(5)]
    assert Activation.objects.count() == 5
    pause_rule(rule)
    resume_rule(rule)
    assert RuleVersion.objects.filter(rule=rule, includes_past=True).count() == 2
    assert scan() == 0


@pytest.mark.parametrize("trigger", WAYS)
def test_who_returns_to_a_rule_that_is_newer_than_their_silence_closes_none(
    source: Source, trigger: dict[str, object]
) -> None:
    report("purchase", source=source)
    evaluate()
    pass_time(31 * DAY)
    make_rule(trigger=trigger)
    report("purchase", source=source)

    assert scan() == 0
    assert found() == []


def test_who_returns_to_a_rule_that_includes_the_past_closes_their_silence(source: Source) -> None:
    report("purchase", source=source)
    evaluate()
    pass_time(31 * DAY)
    activate_rule(draft(QUIET), include_past=True)
    report("purchase", source=source)

    evaluate()
    assert [event.context["came_back"] for event in Event.objects.filter(origin=DERIVED)] == [True]


def test_a_cart_of_before_the_activation_is_left_after_it(source: Source) -> None:
    report("add_to_cart", source=source, user_id="leaves", properties={"cart_id": "c1"})
    report("add_to_cart", source=source, user_id="buys", properties={"cart_id": "c1"})
    report("purchase", source=source, user_id="buys", properties={"cart_id": "c1"})
    evaluate()
    pass_time(1800)
    make_rule(trigger=CART)
    assert scan() == 0
    pass_time(1900)

    assert (scan(), found()) == (1, ["leaves"])


def test_an_imported_purchase_ends_only_the_carts_before_it(source: Source) -> None:
    make_rule(trigger=CART)
    report("add_to_cart", source=source, user_id="open", properties={"cart_id": "c1"})
    remember(source, "open", 5 * DAY, name="purchase")
    remember(source, "bought", 1800, name="purchase")
    remember(source, "bought", 2400, name="add_to_cart")
    pass_time(4000)
    scan()

    assert found() == ["open"]


def test_waits_on_a_device_are_armed_for_who_signed_in_on_it(source: Source) -> None:
    report("add_to_cart", source=source, user_id=None, anonymous_id="phone", properties={"cart_id": "c1"})
    report("view", source=source, user_id="ada", anonymous_id="phone")
    evaluate()
    make_rule(trigger=CART)
    scan()
    ada = Profile.objects.get(user_id="ada")
    assert Timer.objects.get().profile_id == ada.pk
    pass_time(4000)

    assert (scan(), found()) == (1, ["ada"])


def test_history_fires_no_rule_and_moves_no_wait_back(source: Source) -> None:
    make_rule("Event", trigger={"kind": "event", "event": "purchase"})
    make_rule("Named", trigger={"kind": "inactivity", "event": "purchase", "after": 3600})
    report("purchase", source=source)
    evaluate()
    assert Activation.objects.count() == 1
    remember(source, "ada", 1800)
    evaluate()

    assert Activation.objects.count() == 1
    pass_time(3000)
    assert scan() == 0
    pass_time(700)
    assert scan() == 1


def test_history_that_shows_that_there_was_no_silence_holds_the_message_back(source: Source) -> None:
    make_rule(trigger={"kind": "inactivity", "after": DAY}, template=make_template().pk)
    report("$identify", source=source, properties={"traits": {"email": "ada@example.com"}})
    report("view", source=source)
    scan()
    pass_time(DAY + 120)
    assert scan() == 1
    remember(source, "ada", 3600)
    evaluate()
    deliver()

    assert Delivery.objects.get().reason == "came_back"


def test_history_of_before_a_silence_does_not_hold_the_message_back(source: Source) -> None:
    make_rule(trigger={"kind": "inactivity", "after": DAY}, template=make_template().pk)
    report("$identify", source=source, properties={"traits": {"email": "ada@example.com"}})
    report("view", source=source)
    scan()
    pass_time(DAY + 120)
    assert scan() == 1
    remember(source, "ada", 3 * DAY)
    evaluate()
    deliver()

    assert Delivery.objects.get().reason != "came_back"


def test_another_wait_of_a_rule_begins_with_its_activation(source: Source) -> None:
    rule = make_rule(trigger={"kind": "inactivity", "event": "lesson", "after": 3600})
    began = Detector.objects.get().started_at
    report("login", source=source)
    evaluate()
    pass_time(3000)
    rule.definition["trigger"] = {"kind": "inactivity", "event": "login", "after": 3600}
    rule.save()
    activate_rule(rule)
    assert Detector.objects.get().started_at > began
    pass_time(700)

    assert scan() == 1


def test_a_purchase_that_nobody_has_decided_yet_leaves_the_wait_to_its_decision(source: Source) -> None:
    make_rule(trigger=CART)
    report("add_to_cart", source=source, properties={"cart_id": "c1"})
    scan()
    pass_time(3700)
    evaluate()
    worker = get_worker()
    record_tick(worker.connection)
    report("purchase", source=source, properties={"cart_id": "c1"})
    scan_timers(worker.connection, worker.book)
    evaluate()

    assert [event.context["came_back"] for event in Event.objects.filter(origin=DERIVED)] == [True]


@pytest.mark.parametrize("trigger", WAYS)
def test_the_activation_page_counts_who_is_silent_already_and_these_are_included(
    source: Source, trigger: dict[str, object]
) -> None:
    for number in range(3):
        remember(source, f"long{number}", 60 * DAY, 200 * DAY)
    remember(source, "fresh", 30 * DAY + 600)
    remember(source, "waits", 100 * DAY, NEARLY)
    if trigger["kind"] == "abandonment":
        remember(source, "ended", 100 * DAY)
        remember(source, "ended", 90 * DAY, name="refund")
    report("purchase", source=source, user_id=None, anonymous_id="phone")
    report("view", source=source, user_id="long0", anonymous_id="laptop")
    remember(source, "long1", 70 * DAY)
    evaluate()
    rule = draft(trigger)
    definition = parse_definition(msgspec.json.encode(rule.definition))

    past = count_past(rule, definition)

    silent_again = trigger["kind"] == "inactivity" and "event" not in trigger
    assert past is not None
    assert (past.people.words, past.fresh.words) == ("3" if silent_again else "4", "1")
    activate_rule(rule, include_past=True)
    assert scan() == past.people.number
    assert count_past(rule, definition) is None


def test_a_count_that_takes_too_long_says_that_there_may_be_more(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule_effects, "SECONDS", -1)
    rule = draft(NAMED)
    past = count_past(rule, parse_definition(msgspec.json.encode(rule.definition)))

    assert past is not None
    assert past.people.words == "at least 0"
