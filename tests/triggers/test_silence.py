"""Silence becomes an event: sessions that end, people who go quiet, carts that are left."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.cast import ADA, CART, evaluate, make_rule, make_source, make_template, pass_time, report, scan
from tracking.event import DERIVED, IMPORT
from tracking.log.horizon import record_tick
from tracking.models import Event, EventType, Source
from tracking.registry import forget_registry, get_registry
from triggers.detect.scan_silence import scan_silence
from triggers.detect.scan_timers import scan_timers
from triggers.lifecycle import activate_rule
from triggers.models import Activation, Delivery, Rule, Timer
from triggers.worker import get_worker

SESSION = {"kind": "session_end", "after": 900}
QUIET = {"kind": "inactivity", "after": 86_400}


def silences() -> list[Event]:
    return list(Event.objects.filter(origin=DERIVED).order_by("seq"))


def put(source: Source, cart: str | None = "c1", **fields: object) -> None:
    properties = {"cart_id": cart, "sku": "lamp"} if cart else {"sku": "lamp"}
    report("add_to_cart", source=source, properties=properties, **fields)  # type: ignore[arg-type]


def test_a_cart_left_for_an_hour_starts_its_rule_once(source: Source) -> None:
    make_rule(trigger=CART, template=make_template().pk)
    put(source)
    put(source)
    scan()
    pass_time(3590)
    assert scan() == 0
    pass_time(20)

    assert scan() == 1
    assert scan() == 0
    silence = silences()[0]
    assert silence.name == "cart_abandonment"
    assert [item["sku"] for item in silence.properties["items"]] == ["lamp", "lamp"]
    assert Activation.objects.get().event_id == silence.pk
    assert Delivery.objects.get().state == "planned"
    assert not Timer.objects.exists()


def test_another_item_moves_the_wait(source: Source) -> None:
    make_rule(trigger=CART)
    put(source)
    evaluate()
    pass_time(3000)
    put(source)
    evaluate()
    pass_time(3000)

    assert scan() == 0
    pass_time(700)
    assert scan() == 1


def test_a_purchase_ends_the_wait(source: Source) -> None:
    make_rule(trigger=CART)
    put(source)
    report("purchase", source=source, properties={"cart_id": "c1"})
    evaluate()
    pass_time(7200)

    assert scan() == 0


def test_a_purchase_of_another_cart_does_not(source: Source) -> None:
    make_rule(trigger=CART)
    put(source, "c1")
    report("purchase", source=source, properties={"cart_id": "c2"})
    evaluate()
    pass_time(7200)

    assert scan() == 1


def test_a_purchase_without_a_cart_ends_all_waits_of_the_person(source: Source) -> None:
    make_rule(trigger=CART)
    put(source, "c1")
    put(source, "c2")
    report("purchase", source=source)
    evaluate()
    pass_time(7200)

    assert scan() == 0


def test_a_wait_without_a_key_is_ended_by_any_purchase(source: Source) -> None:
    make_rule(trigger=CART)
    put(source, None)
    report("purchase", source=source, properties={"cart_id": "c9"})
    evaluate()
    pass_time(7200)

    assert scan() == 0


def test_two_carts_are_two_waits(source: Source) -> None:
    make_rule(trigger=CART)
    put(source, "c1")
    put(source, "c2")
    evaluate()
    pass_time(7200)

    assert scan() == 2


def test_a_purchase_that_arrives_before_the_scan_but_was_not_decided_cancels(source: Source) -> None:
    make_rule(trigger=CART)
    put(source)
    scan()
    pass_time(7200)
    report("purchase", source=source, properties={"cart_id": "c1"})

    scan()

    assert [event.context["came_back"] for event in silences()] in ([], [True])
    assert not Delivery.objects.filter(state="planned").exists()


def test_a_session_that_ends_becomes_an_event_with_its_length_and_pages(source: Source) -> None:
    make_rule(trigger=SESSION)
    now = datetime.now(UTC)
    report("page_view", source=source, properties={"path": "/"}, timestamp=now)
    report("page_view", source=source, properties={"path": "/lamps"}, timestamp=now)
    evaluate()
    pass_time(1000)

    assert scan() == 1
    properties = silences()[0].properties
    assert (properties["events"], properties["pages"]) == (2, ["/", "/lamps"])


def test_a_silence_is_never_early_and_late_by_at_most_a_tenth(source: Source) -> None:
    make_rule(trigger=SESSION)
    report("page_view", source=source)
    evaluate()
    pass_time(20)
    report("page_view", source=source)
    evaluate()
    pass_time(885)
    assert scan() == 0
    pass_time(85)

    assert scan() == 1


def test_a_chatty_person_is_found_by_the_last_activity_and_not_by_the_step(source: Source) -> None:
    make_rule(trigger=SESSION)
    for _ in range(3):
        report("page_view", source=source)
        evaluate()
        pass_time(20)
    pass_time(865)
    assert scan() == 0
    pass_time(70)

    assert scan() == 1
    assert scan() == 0


def test_who_returns_before_the_scan_closes_the_silence_and_gets_no_mail(source: Source) -> None:
    make_rule(trigger=SESSION, template=make_template().pk)
    report("page_view", source=source)
    evaluate()
    pass_time(2000)
    report("page_view", source=source)

    scan()

    assert [event.context["came_back"] for event in silences()] == [True]
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.reason) == ("dropped", "came_back")


def test_a_backlog_and_a_live_run_derive_the_same_event(source: Source) -> None:
    make_rule(trigger=SESSION)
    report("page_view", source=source)
    evaluate()
    pass_time(2000)
    scan()
    report("page_view", source=source)
    evaluate()

    assert len(silences()) == 1


def test_a_lagging_lane_delays_a_silence_and_never_invents_it(source: Source) -> None:
    make_rule(trigger=CART)
    put(source)
    evaluate()
    pass_time(3700)
    report("purchase", source=source, properties={"cart_id": "c1"})

    worker = get_worker()
    record_tick(worker.connection)

    assert scan_timers(worker.connection, worker.book) == 0
    assert silences() == []


@pytest.mark.parametrize("kind", [SESSION, QUIET])
def test_a_new_rule_starts_with_those_who_fall_silent_after_it(source: Source, kind: dict[str, object]) -> None:
    report("page_view", source=source)
    evaluate()
    scan()
    pass_time(200_000)
    make_rule(trigger=kind)

    assert scan() == 0


def test_a_changed_threshold_skips_nobody_and_repeats_nothing(source: Source) -> None:
    rule = make_rule(trigger=QUIET)
    report("page_view", source=source)
    scan()
    pass_time(50_000)
    scan()
    rule.definition["trigger"] = QUIET | {"after": 43_200}
    rule.save()
    activate_rule(rule)

    assert scan() == 1
    pass_time(100_000)
    assert scan() == 0


def test_what_nobody_did_is_no_activity(source: Source) -> None:
    make_rule(trigger=SESSION)
    EventType.objects.create(name="heartbeat", is_activity=False)
    machine = make_source("Machine", is_activity=False)
    forget_registry()
    report("page_view", source=source)
    evaluate()
    pass_time(800)
    report("heartbeat", source=source)
    report("sync", source=machine)
    report("$identify", source=source, properties={"traits": {"plan": "pro"}})
    report("import", source=source, origin=IMPORT)
    evaluate()
    pass_time(300)

    assert scan() == 1


def test_inactivity_of_a_named_event_is_a_wait_that_it_moves(source: Source) -> None:
    make_rule(trigger=QUIET | {"event": "lesson"})
    report("lesson", source=source)
    evaluate()
    pass_time(80_000)
    report("page_view", source=source)
    assert scan() == 0
    pass_time(10_000)

    assert scan() == 1
    assert silences()[0].name == "user_inactive"


def test_a_silence_carries_the_persons_ids(source: Source) -> None:
    make_rule(trigger=SESSION, emits="left")
    report("page_view", source=source)
    scan()
    pass_time(1000)
    scan()

    event = silences()[0]
    assert (event.name, event.user_id, event.source_id) == ("left", ADA, source.pk)


def test_a_late_event_updates_the_profile_and_clears_but_arms_nothing(source: Source) -> None:
    make_rule(trigger=CART)
    put(source, timestamp=datetime.now(UTC) - timedelta(hours=30))
    evaluate()

    assert not Timer.objects.exists()


def test_a_page_may_not_send_the_name_that_a_rule_derives(source: Source) -> None:
    make_rule(trigger=SESSION, emits="visit_over")

    assert EventType.objects.get(name="visit_over").is_derived
    assert Rule.objects.get().state == "active"


def test_nobody_forges_a_silence_by_what_they_say_of_its_detector(source: Source) -> None:
    rule = make_rule(trigger=SESSION)
    forged = {"detector": {"rule": rule.pk, "key": "", "armed_seq": 0, "armed_at": "2026-01-01T00:00:00+00:00"}}
    report("session_ended", source=source, context=forged)

    evaluate()

    assert not Activation.objects.exists()


def test_a_silence_is_not_lost_to_a_return_that_nobody_has_decided_yet(source: Source) -> None:
    make_rule(trigger=SESSION)
    report("page_viewed", source=source)
    evaluate()
    pass_time(1200)
    worker = get_worker()
    record_tick(worker.connection)
    evaluate()

    report("page_viewed", source=source)
    scan_silence(worker.connection, worker.book, get_registry())
    evaluate()

    assert [(silence.name, silence.context["came_back"]) for silence in silences()] == [("session_ended", True)]
    pass_time(1200)
    assert scan() == 1


def test_silences_of_silences_end_after_five(source: Source) -> None:
    wait = {"kind": "abandonment", "ended_by": "never", "after": 60}
    make_rule("One", trigger=wait | {"started_by": "ping"}, emits="pong")
    make_rule("Two", trigger=wait | {"started_by": "pong"}, emits="ping")
    report("ping", source=source)
    for _ in range(9):
        scan()
        pass_time(70)
    assert [event.depth for event in silences()] == [1, 2, 3, 4, 5]


def test_a_new_rule_for_a_named_event_waits_for_those_who_did_it_before_it_was_activated(source: Source) -> None:
    report("watch", source=source)
    evaluate()
    pass_time(1800)
    make_rule(trigger={"kind": "inactivity", "event": "watch", "after": 3600})
    scan()
    assert silences() == []
    pass_time(1900)
    scan()
    scan()
    assert len(silences()) == 1


def test_a_wait_that_was_made_shorter_is_moved_by_what_starts_it_next(source: Source) -> None:
    rule = make_rule(trigger=CART)
    put(source)
    evaluate()
    pass_time(600)
    rule.definition["trigger"] = CART | {"after": 600}
    rule.save()
    activate_rule(rule)
    put(source)
    evaluate()
    pass_time(700)

    assert scan() == 1
