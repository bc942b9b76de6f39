"""From an event in the log to an activation with its reasons."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections

from engagement.lib.postgres import open_connection
from tests.cast import ADA, CART, ON_CART, deliver, evaluate, make_rule, make_template, report, scan
from tracking.event import IMPORT, compute_user_profile_id
from tracking.log.appenders import get_appender
from tracking.models import Event, LaneCursor, Profile, SetAside, Source
from tracking.profiles import load_traits_at
from tracking.queries import find_events
from tracking.set_aside import decide_again
from triggers.audit.compare import audit
from triggers.evaluate.batch import Batch
from triggers.evaluate.effects import compute_activation_id
from triggers.lifecycle import activate_rule, pause_rule, resume_rule
from triggers.models import Activation, Delivery
from triggers.worker import close_worker, get_worker


def test_a_matching_event_activates_its_rule_once_and_plans_one_message(source: Source) -> None:
    rule = make_rule(trigger=ON_CART, template=make_template().pk)
    event = report("add_to_cart", source=source)

    evaluate()
    LaneCursor.objects.update(position=0)
    Profile.objects.all().delete()
    evaluate()

    activation = Activation.objects.get()
    assert (activation.rule_id, activation.event_id) == (rule.pk, event.id)
    assert Delivery.objects.get().state == "planned"


def test_the_trace_says_what_each_condition_found(source: Source) -> None:
    condition = {
        "node": "compare",
        "field": {"from": "event", "path": "total"},
        "operator": "gt",
        "value": 50,
    }
    make_rule(trigger=ON_CART, conditions={"node": "all", "of": [condition, {"node": "never", "event": "purchase"}]})
    report("add_to_cart", source=source, properties={"total": 70})
    report("add_to_cart", source=source, properties={"total": 7})

    evaluate()

    trace = Activation.objects.get().trace
    assert [part.get("actual") for part in trace["of"]] == [70, 0]


def test_never_did_sees_what_happened_before_and_not_after(source: Source) -> None:
    make_rule(trigger=ON_CART, conditions={"node": "never", "event": "purchase"})
    first = report("add_to_cart", source=source)
    report("purchase", source=source)
    report("add_to_cart", source=source)

    evaluate()

    assert Activation.objects.get().event_id == first.id


def test_a_count_reads_only_its_window(source: Source) -> None:
    count = {"node": "count", "event": "visit", "within": 3600, "operator": "ge", "value": 2}
    make_rule(trigger=ON_CART, conditions=count)
    now = datetime.now(UTC)
    report("visit", source=source, timestamp=now - timedelta(hours=2))
    report("visit", source=source, timestamp=now - timedelta(minutes=5))
    early = report("add_to_cart", source=source)
    report("visit", source=source)
    late = report("add_to_cart", source=source)

    evaluate()

    ids = list(Activation.objects.values_list("event_id", flat=True))
    assert ids == [late.id]
    assert early.id not in ids


def test_a_profile_is_kept_from_what_is_told_about_a_person(source: Source) -> None:
    report("$identify", source=source, properties={"traits": {"email": "ada@example.com", "plan": "free"}})
    report("$identify", source=source, properties={"traits": {"plan": "pro"}})

    evaluate()

    profile = Profile.objects.get(pk=compute_user_profile_id(ADA))
    assert profile.traits == {"email": "ada@example.com", "plan": "pro"}


def test_a_page_cannot_change_a_known_persons_address(source: Source) -> None:
    report("$identify", source=source, properties={"traits": {"email": "ada@example.com"}})
    evil = {"traits": {"email": "evil@example.com", "plan": "pro"}}
    report("$identify", source=source, properties=evil, is_public=True)

    evaluate()

    assert Profile.objects.get().traits == {"email": "ada@example.com", "plan": "pro"}


@pytest.mark.parametrize(
    "operators",
    [
        {"set_once": {"email": "evil@example.com"}},
        {"append": {"email": "evil@example.com"}},
        {"union": {"email": ["evil@example.com"]}},
        {"remove": {"email": "ada@example.com"}},
        {"unset": ["email"]},
    ],
)
def test_a_page_cannot_change_or_take_an_address_by_any_operator(source: Source, operators: dict[str, Any]) -> None:
    report("$identify", source=source, properties={"traits": {"email": "ada@example.com"}})
    said = {"traits": {"plan": "pro"}} | operators
    report("$identify", source=source, properties=said, is_public=True)

    evaluate()

    assert Profile.objects.get().traits == {"email": "ada@example.com", "plan": "pro"}


def test_identify_alone_is_no_activity(source: Source) -> None:
    report("$identify", source=source, properties={"traits": {"plan": "pro"}})

    evaluate()

    assert Profile.objects.get().seen_at is None


def test_an_imported_event_starts_no_rule(source: Source) -> None:
    make_rule(trigger=ON_CART)
    report("add_to_cart", source=source, origin=IMPORT)

    evaluate()

    assert not Activation.objects.exists()


def test_an_event_that_arrives_too_late_starts_no_rule(source: Source) -> None:
    make_rule(trigger=ON_CART)
    report("add_to_cart", source=source, timestamp=datetime.now(UTC) - timedelta(hours=25))

    evaluate()

    assert not Activation.objects.exists()


def test_once_means_once_also_within_one_batch(source: Source) -> None:
    make_rule(trigger=ON_CART, reentry={"kind": "once"})
    for _ in range(3):
        report("add_to_cart", source=source)

    evaluate()
    report("add_to_cart", source=source)
    evaluate()

    assert Activation.objects.count() == 1


def test_not_again_within_a_time(source: Source) -> None:
    make_rule(trigger=ON_CART, reentry={"kind": "after", "seconds": 3600})
    now = datetime.now(UTC)
    for minutes in (100, 90, 10):
        report("add_to_cart", source=source, timestamp=now - timedelta(minutes=minutes))

    evaluate()

    assert Activation.objects.count() == 2


def test_the_version_in_force_is_decided_by_the_place_in_the_log(source: Source) -> None:
    rule = make_rule(trigger=ON_CART)
    before = report("add_to_cart", source=source)
    pause_rule(rule)
    report("add_to_cart", source=source)
    resume_rule(rule)
    after = report("add_to_cart", source=source)

    evaluate()

    assert set(Activation.objects.values_list("event_id", flat=True)) == {before.id, after.id}


def test_a_new_version_does_not_decide_what_was_logged_before_it(source: Source) -> None:
    rule = make_rule(trigger=ON_CART)
    report("add_to_cart", source=source, properties={"total": 1})
    condition = {"node": "compare", "field": {"from": "event", "path": "total"}, "operator": "gt", "value": 50}
    rule.definition["conditions"] = condition
    rule.save()
    activate_rule(rule)
    report("add_to_cart", source=source, properties={"total": 2})

    evaluate()

    assert Activation.objects.get().rule_version_id == rule.versions.get(number=1).pk


def test_a_poison_event_is_set_aside_and_its_lane_goes_on(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    make_rule(trigger=ON_CART)
    decide = Batch._match

    def fail_on_poison(self: Batch, event: object, *rest: object) -> None:
        if event.properties.get("poison"):  # type: ignore[attr-defined]
            raise ZeroDivisionError("poison")
        decide(self, event, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Batch, "_match", fail_on_poison)
    for number in range(9):
        report("add_to_cart", source=source, properties={"poison": number == 4})

    evaluate()

    assert Activation.objects.count() == 8
    assert "poison" in SetAside.objects.get().reason


def test_an_event_that_was_set_aside_is_decided_again_under_its_own_id(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = make_rule(trigger=ON_CART)
    monkeypatch.setattr(Batch, "_match", lambda *_: 1 / 0)
    event = report("add_to_cart", source=source)
    evaluate()
    assert Activation.objects.count() == 0
    connection = get_worker().connection

    decide_again(get_appender(), list(find_events(connection, [event.id]).values()))
    evaluate()
    assert SetAside.objects.count() == 2

    monkeypatch.undo()
    second = SetAside.objects.order_by("seq").last()
    assert second is not None
    for _ in range(2):
        decide_again(get_appender(), list(find_events(connection, [second.event_id]).values()))
    evaluate()

    assert Activation.objects.get().id == compute_activation_id(rule.pk, event.id)
    assert audit().is_clean


def test_two_workers_decide_nothing_twice(source: Source) -> None:
    make_rule(trigger=ON_CART)
    report("add_to_cart", source=source)
    get_worker().evaluator.run_pass()
    with open_connection("test", timeout_ms=5_000) as other:
        lane = Event.objects.get().lane
        with other.transaction():
            other.execute("select from lane_cursor where lane = %s for update", (lane,))
            report("add_to_cart", source=source)
            busy = get_worker().evaluator.run_pass()

    assert busy.events == 0
    assert evaluate().events == 1
    assert Activation.objects.count() == 2


def test_an_event_is_applied_to_a_profile_once_even_when_it_is_read_again(source: Source) -> None:
    for plan in ("gold", "free"):
        report("$identify", source=source, properties={"traits": {"plan": plan}})
    evaluate()
    later = Event.objects.order_by("seq").last()
    assert later is not None
    Event.objects.filter(pk=later.pk).delete()
    LaneCursor.objects.update(position=0)

    evaluate()

    assert Profile.objects.get().traits == {"plan": "free"}


def test_all_stages_at_once_do_not_deadlock(source: Source) -> None:
    """Each takes its locks in the same order: cursor, profiles, timers, activations, deliveries, log."""
    make_rule("Cart", trigger=CART | {"after": 1}, template=make_template().pk)
    make_rule("Any", trigger=ON_CART, template=make_template("Other").pk)
    failures: list[BaseException] = []
    is_over = threading.Event()

    def repeat(work: Callable[[], object]) -> None:
        try:
            while not is_over.is_set():
                work()
        except BaseException as error:
            failures.append(error)
        finally:
            close_worker()
            connections.close_all()

    def shop() -> None:
        for number in range(120):
            person = f"p{number % 7}"
            name = "purchase" if number % 5 == 0 else "add_to_cart"
            report(name, source=source, user_id=person, anonymous_id=f"a{number % 11}", properties={"cart_id": "c"})

    threads = [threading.Thread(target=repeat, args=(work,)) for work in (evaluate, evaluate, scan, deliver)]
    for thread in threads:
        thread.start()
    shop()
    is_over.set()
    for thread in threads:
        thread.join()

    evaluate()
    assert failures == []
    assert audit().is_clean
    assert SetAside.objects.count() == 0


def test_operators_on_a_person_are_applied_in_the_order_of_the_log(source: Source) -> None:
    for said in (
        {"traits": {"plan": "free", "tags": ["a"]}},
        {"add": {"logins": 2}},
        {"set_once": {"plan": "pro", "first_seen": "today"}, "append": {"tags": "b"}},
        {"add": {"logins": 3}, "unset": ["plan"]},
        {"set_once": {"plan": "gold"}, "remove": {"tags": "a"}},
    ):
        report("$identify", source=source, properties={"traits": {}} | said)
    evaluate()
    expected = {"plan": "gold", "logins": 5, "first_seen": "today", "tags": ["b"]}
    profile = Profile.objects.get()
    assert profile.traits == expected
    with open_connection("test", timeout_ms=5_000) as connection:
        assert load_traits_at(connection, profile.pk, profile.applied_seq) == expected
