"""How an erasure is carried out: in pieces, in its place, and never past a message that is being handed over."""

import threading
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.db import connections

from engagement.lib.ids import compute_lane
from engagement.lib.postgres import open_connection
from tests.cast import ADA, ON_CART, add_to_cart, deliver, evaluate, make_rule, make_template, report
from tests.live import wait_for
from tests.mail_server import MailServer
from tests.privacy.conftest import erase, find_mentions
from tracking.erasure.ask import Order, add_parts, ask_erasure
from tracking.event import compute_user_profile_id
from tracking.log.appenders import get_appender
from tracking.log.read import LoggedEvent
from tracking.log.write import encode_row
from tracking.models import Erasure, Event, LaneCursor, Profile, SetAside, Source
from tracking.queries import find_events
from tracking.registry import get_registry
from tracking.set_aside import decide_again
from triggers.channels import CHANNELS
from triggers.channels.address import hash_address
from triggers.deliver import run as deliver_run
from triggers.deliver.claim import claim_due
from triggers.deliver.record import record_failure
from triggers.erase.carry_out import carry_out
from triggers.evaluate import run as evaluate_run
from triggers.evaluate.run import Evaluator
from triggers.models import Attempt, Delivery, Suppression
from triggers.worker import get_worker

ADA_ID = compute_user_profile_id(ADA)
WAITS = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"


def wait_for_lock() -> None:
    """Wait until somebody waits for a lock."""
    with open_connection("test", timeout_ms=30_000) as connection:
        wait_for(lambda: connection.execute(WAITS).fetchone() == (1,))


def find_cursor() -> int:
    return LaneCursor.objects.get(consumer="evaluator", lane=compute_lane(ADA_ID)).position


def test_a_long_history_goes_in_pieces_and_holds_the_lane_for_one_at_a_time(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(25):
        report("view", source=source, properties={"number": number})
    evaluate()
    receipt = ask_erasure(get_worker().connection, ADA_ID, "test")
    report("view", source=source, properties={"number": "new"})
    monkeypatch.setattr(evaluate_run, "carry_out", partial(carry_out, piece=10))
    place = Event.objects.get(name="$erase").seq

    left = []
    while Erasure.objects.get(pk=str(receipt)).completed_at is None:
        get_worker().evaluator.run_pass()
        left.append(Event.objects.filter(name="view").count())
        if len(left) < 3:
            assert find_cursor() < place
            assert not Profile.objects.exists()

    assert left == [16, 6, 1]
    assert Erasure.objects.get(pk=str(receipt)).counts["event"] == 25
    evaluate()
    assert Profile.objects.count() == 1


def test_who_begins_anew_in_the_very_millisecond_of_their_erasure_is_taken_for_new(source: Source) -> None:
    moment = datetime.now(UTC).replace(microsecond=500_100)
    first = report("view", source=source, now=moment)
    receipt = ask_erasure(get_worker().connection, ADA_ID, "test")
    Erasure.objects.update(requested_at=moment + timedelta(microseconds=100))
    second = report("view", source=source, now=moment + timedelta(microseconds=200))
    evaluate()
    assert [event.id for event in Event.objects.all()] == [second.id]

    get_appender().append([encode_row(first), encode_row(second)])
    evaluate()

    assert [event.id for event in Event.objects.all()] == [second.id]
    assert Profile.objects.count() == 1
    assert Erasure.objects.get(pk=str(receipt)).counts["event"] == 1


def test_of_many_devices_each_is_told_of_people_alone_and_tells_nobody_again(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        report("view", source=source, anonymous_id=f"device-{number}")
    report("view", source=source, user_id="old-ada")
    evaluate()
    report("$alias", source=source, properties={"previous_id": "old-ada"})
    evaluate()
    told: list[tuple[int, int]] = []

    def add(connection: Any, order: Order, profile_ids: Collection[UUID]) -> list[UUID]:
        told.append((len(order.people), len(profile_ids)))
        return add_parts(connection, order, profile_ids)

    monkeypatch.setattr("triggers.erase.carry_out.add_parts", add)

    receipt = erase(ADA_ID)

    # The alias may be that of somebody anonymous as well.
    assert sorted(told)[-1] == (3, 42)
    assert sum(number for _, number in told) < 60
    assert {people for people, _ in told} == {3}
    assert receipt.completed_at is not None
    assert not Event.objects.exists()
    assert not Profile.objects.exists()


def test_another_lane_goes_on_between_the_pieces(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(10):
        report("view", source=source)
    evaluate()
    ask_erasure(get_worker().connection, ADA_ID, "test")
    other = next(name for name in "abcdefgh" if compute_lane(compute_user_profile_id(name)) != compute_lane(ADA_ID))
    report("view", source=source, user_id=other)
    monkeypatch.setattr(evaluate_run, "carry_out", partial(carry_out, piece=2))

    assert get_worker().evaluator.run_pass().is_behind
    assert Profile.objects.get().user_id == other
    evaluate()
    assert Event.objects.count() == 1


def test_what_is_planned_is_not_sent_and_the_address_stays_suppressed(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    Suppression.objects.create(channel="email", address_hash=hash_address("email", "ada@example.com"), reason="told")
    add_to_cart(source)

    receipt = erase(ADA_ID)
    deliver()
    assert receipt.counts["messages_not_sent"] == 1
    assert (server.mails, Delivery.objects.count()) == ([], 0)

    add_to_cart(source)
    deliver()
    assert Delivery.objects.get().reason == "suppressed"


def test_a_message_planned_meanwhile_is_dropped_as_erased_before_it_is_deleted(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    for _ in range(3):
        add_to_cart(source)
    ask_erasure(get_worker().connection, ADA_ID, "test")
    monkeypatch.setattr(evaluate_run, "carry_out", partial(carry_out, piece=1))

    get_worker().evaluator.run_pass()

    assert list(Delivery.objects.values_list("state", "reason")) == [("dropped", "erased")] * 2


def test_a_hand_over_that_came_first_is_waited_for(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)
    connection = get_worker().connection
    claimed = claim_due(connection, 1)[0]
    ask_erasure(connection, ADA_ID, "test")
    with connection.transaction():
        prepared = deliver_run.hand_over(connection, claimed, CHANNELS["email"], get_registry())
        assert not isinstance(prepared, str)
        eraser = threading.Thread(target=_evaluate_elsewhere)
        eraser.start()
        wait_for_lock()
        assert Profile.objects.exists()
    eraser.join(20)

    assert not Profile.objects.exists()
    assert not Delivery.objects.exists()
    record_failure(connection, claimed, ValueError("550 ada@example.com is unknown"), datetime.now(UTC))
    assert not Attempt.objects.exists()
    assert find_mentions("ada@example.com") == {}


def test_a_hand_over_that_comes_second_sends_nothing(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)
    connection = get_worker().connection
    claimed = claim_due(connection, 1)[0]
    ask_erasure(connection, ADA_ID, "test")
    order = Event.objects.get(name="$erase")
    said: list[str] = []

    def hand_over() -> None:
        with open_connection("test", timeout_ms=20_000) as other:
            said.append(deliver_run.deliver_one(other, claimed, get_registry(), {}))

    with connection.transaction():
        assert carry_out(connection, _as_logged(order), piece=1) is False
        sender = threading.Thread(target=hand_over)
        sender.start()
        wait_for_lock()
    sender.join(20)

    assert said == ["erased"]
    assert server.mails == []


def test_an_erasure_that_fails_is_set_aside_and_can_be_decided_again(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    report("view", source=source)
    evaluate()

    def fail(*_: Any) -> bool:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(evaluate_run, "carry_out", fail)
        receipt = ask_erasure(get_worker().connection, ADA_ID, "test")
        evaluate()
    assert SetAside.objects.count() == 1
    report("view", source=source, properties={"new": True})
    evaluate()

    decide_again(get_appender(), list(find_events(get_worker().connection, [SetAside.objects.get().event_id]).values()))
    evaluate()

    assert Erasure.objects.get(pk=str(receipt)).completed_at is not None
    assert not Event.objects.filter(name="$erase").exists()
    assert not SetAside.objects.exists()


def test_erasures_and_everything_else_at_once_do_not_deadlock(source: Source) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    people = [f"person-{number}" for number in range(12)]
    for person in people:
        report("view", source=source, user_id=None, anonymous_id=f"phone-{person}")
        report("add_to_cart", source=source, user_id=person, anonymous_id=f"phone-{person}")
    evaluate()
    for person in people:
        report("view", source=source, user_id=None, anonymous_id=f"phone-{person}")
        ask_erasure(get_worker().connection, compute_user_profile_id(person), "test")
    workers = [threading.Thread(target=_evaluate_elsewhere) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    evaluate()

    assert Erasure.objects.filter(completed_at=None).count() == 0
    assert not Event.objects.exists()
    assert not Profile.objects.exists()


def _evaluate_elsewhere() -> None:
    with open_connection("test", timeout_ms=30_000) as connection:
        evaluator = Evaluator(connection)
        deadline = datetime.now(UTC) + timedelta(seconds=30)
        while evaluator.run_pass().is_behind and datetime.now(UTC) < deadline:
            pass
    connections.close_all()


def _as_logged(event: Event) -> LoggedEvent:
    found = find_events(get_worker().connection, [event.pk])
    return found[event.pk]
