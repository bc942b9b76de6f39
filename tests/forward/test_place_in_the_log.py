"""A destination's place in the log: where it begins, what it keeps, and that nothing waits for one that is gone."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.db import connections

from engagement.lib.postgres import open_connection
from tests.cast import ADA, evaluate, report
from tests.forward.conftest import MakeDestination, forward, let_leases_end
from tests.other_side import Heard, OtherSide, Say
from tracking.erasure.ask import ask_erasure
from tracking.event import compute_user_profile_id
from tracking.log.partitions import drop_partitions, ensure_partitions, load_partition_names
from tracking.models import Event, LaneCursor, Source
from triggers.erase.carry_out import carry_out
from triggers.evaluate import run as evaluate_run
from triggers.forward.claim import name_consumer
from triggers.forward.run import forget_gone
from triggers.forward.switch import pause, resume, switch_off, switch_on
from triggers.models import CopyLease, Destination
from triggers.worker import get_worker

_WAITS_FOR_A_LOCK = """
select from pg_stat_activity
 where datname = current_database() and application_name = 'engagement-admin' and wait_event_type = 'Lock'
"""


def visit(source: Source, number: int) -> None:
    report("visit", source=source, properties={"number": number})
    evaluate()


def list_numbers(other_side: OtherSide) -> list[int]:
    return [request.json["data"]["properties"]["number"] for request in other_side.taken]


def test_a_new_destination_begins_at_the_present_end(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    visit(source, 1)
    report("visit", source=source, properties={"number": 2})
    make_destination()
    visit(source, 3)
    forward()
    assert list_numbers(other_side) == [3]


def test_a_pause_holds_and_a_resume_sends_all_of_it(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    destination = make_destination()
    visit(source, 1)
    forward()
    pause(destination)
    visit(source, 2)
    visit(source, 3)
    forward()
    assert list_numbers(other_side) == [1]
    switch_on(destination)
    forward()
    assert list_numbers(other_side) == [1, 2, 3]


def test_switched_off_it_has_no_place_and_begins_anew(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    destination = make_destination()
    visit(source, 1)
    switch_off(destination)
    assert not LaneCursor.objects.filter(consumer=name_consumer(destination.pk)).exists()
    visit(source, 2)
    switch_on(destination)
    visit(source, 3)
    forward()
    assert list_numbers(other_side) == [3]


def test_what_is_switched_off_while_somebody_resumes_it_stays_off(make_destination: MakeDestination) -> None:
    destination = make_destination()
    pause(destination)
    with open_connection("test", timeout_ms=10_000) as other, ThreadPoolExecutor(1) as threads:
        with other.transaction():
            other.execute("select from triggers_destinationprogress for update")
            resumed = threads.submit(resume, Destination.objects.get())
            while get_worker().connection.execute(_WAITS_FOR_A_LOCK).fetchone() is None:
                assert not resumed.done()
            other.execute("update triggers_destination set state = 'off'")
            other.execute("delete from lane_cursor where consumer = %s", (name_consumer(destination.pk),))
        assert resumed.result() is False
    destination.refresh_from_db()
    assert destination.state == "off"
    assert not LaneCursor.objects.filter(consumer=name_consumer(destination.pk)).exists()


def test_the_cursors_of_a_deleted_destination_are_forgotten_and_those_of_the_others_stay(
    source: Source, make_destination: MakeDestination
) -> None:
    deleted, kept = make_destination(name="deleted"), make_destination(name="kept")
    pause(kept)
    Destination.objects.filter(pk=deleted.pk).delete()
    assert forget_gone(get_worker().connection) == 64
    consumers = set(LaneCursor.objects.values_list("consumer", flat=True).distinct())
    assert name_consumer(kept.pk) in consumers
    assert name_consumer(deleted.pk) not in consumers
    assert "evaluator" in consumers or not evaluate().events


def test_a_destination_that_is_deleted_while_it_is_sent_to_leaves_nothing_behind(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    destination = make_destination()
    visit(source, 1)

    def delete_meanwhile(request: Heard) -> Say:
        Destination.objects.filter(pk=destination.pk).delete()
        connections.close_all()
        return Say()

    other_side.answer = delete_meanwhile
    forward()
    assert len(other_side.taken) == 1
    forget_gone(get_worker().connection)
    assert not CopyLease.objects.exists()
    assert not LaneCursor.objects.filter(consumer=name_consumer(destination.pk)).exists()


def test_events_are_kept_until_every_destination_has_them(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    then, limit = datetime.now(UTC) - timedelta(days=90), datetime.now(UTC) - timedelta(days=45)
    month = f"event_{then:%Y_%m}"
    ensure_partitions(then, then)
    destination = make_destination()
    report("visit", source=source, properties={"number": 1}, message_id="old", timestamp=then)
    evaluate()
    pause(destination)
    drop_partitions(limit)
    assert month in load_partition_names()

    switch_on(destination)
    other_side.refuse(503)
    forward()
    drop_partitions(limit)
    assert month in load_partition_names()

    switch_off(destination)
    drop_partitions(limit)
    assert month not in load_partition_names()


def test_a_destination_that_takes_nothing_of_what_happens_holds_nothing_back(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    destination = make_destination(events="some", event_names=["purchase"])
    for number in range(5):
        visit(source, number)
    forward()
    let_leases_end()
    least = LaneCursor.objects.filter(consumer=name_consumer(destination.pk)).order_by("position").first()
    assert least is not None
    assert least.position == LaneCursor.objects.filter(consumer="evaluator").order_by("position")[0].position
    assert other_side.heard == []


def test_what_is_erased_is_not_told_though_it_is_still_in_the_log(
    source: Source, other_side: OtherSide, make_destination: MakeDestination, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_destination()
    for number in range(4):
        visit(source, number)
    report("visit", source=source, user_id="bob", properties={"number": 7})
    ask_erasure(get_worker().connection, compute_user_profile_id(ADA), "test")
    monkeypatch.setattr(evaluate_run, "carry_out", partial(carry_out, piece=1))
    get_worker().evaluator.run_pass()
    assert Event.objects.filter(name="visit").count() == 4
    forward()
    assert list_numbers(other_side) == [7]
