"""Whatever happens to the other side, or to a worker: every copy arrives, under the same id, in each person's order."""

import threading
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections

from tests.cast import evaluate, pass_time, report
from tests.forward.conftest import (
    MakeDestination,
    count_copies,
    forward,
    let_leases_end,
    let_wait_pass,
    load_progress,
)
from tests.other_side import Heard, OtherSide, Say
from tracking.erasure.ask import ask_erasure
from tracking.event import compute_user_profile_id
from tracking.log.follow import load_lag
from tracking.models import Event, Source
from triggers.forward import run
from triggers.forward.claim import name_consumer
from triggers.forward.record import record_outcome
from triggers.forward.run import run_pass
from triggers.forward.send import MOST_REFUSALS
from triggers.models import CopyCount, DestinationState, RefusedCopy
from triggers.worker import close_worker, get_worker

pytestmark = pytest.mark.slow

PEOPLE = ("ada", "grace", "edith", "mary", "joan", "annie")


def act(source: Source, times: int = 1) -> dict[str, list[str]]:
    """Let everybody do something several times; return the ids of each person's events in their order."""
    done: dict[str, list[str]] = defaultdict(list)
    for number in range(times):
        for person in PEOPLE:
            event = report("visit", source=source, user_id=person, properties={"number": number})
            done[person].append(str(event.id))
    evaluate()
    return done


def work_apart(destination_id: int, barrier: threading.Barrier | None = None) -> None:
    """Be another worker, until nothing is left to tell."""
    connection = get_worker().connection
    if barrier is not None:
        barrier.wait()
    while load_lag(connection, name_consumer(destination_id)).events:
        run_pass(connection, destination_id)
    close_worker()
    connections.close_all()


def list_arrived(taken: list[Heard]) -> dict[str, list[str]]:
    """Return the ids of the events that arrived, by person, in the order of their arrival."""
    arrived: dict[str, list[str]] = defaultdict(list)
    for request in taken:
        message = request.json
        for one in message["data"] if message["type"] == "batch" else [message]:
            arrived[one["data"]["user_id"]].append(one["data"]["id"])
    return arrived


@pytest.mark.parametrize("per_request", [1, 10])
def test_a_day_without_the_other_side_costs_one_request_a_pause_and_loses_nothing(
    source: Source, other_side: OtherSide, make_destination: MakeDestination, per_request: int
) -> None:
    destination = make_destination(settings={"per_request": per_request})
    other_side.refuse(503)
    expected = act(source, 4)
    forward()
    met = len(other_side.heard)
    for _ in range(6):
        for person, ids in act(source).items():
            expected[person] += ids
        assert forward() == []
        let_wait_pass()
        forward()
    assert len(other_side.heard) - met == 6
    assert other_side.taken == []
    progress = load_progress(destination)
    assert progress.failures == 7
    assert progress.error == "It answered 503."
    pass_time(86_400)
    lag = load_lag(get_worker().connection, name_consumer(destination.pk))
    assert lag.events == 60
    assert lag.since is not None
    assert datetime.now(UTC) - lag.since > timedelta(days=1)

    other_side.recover()
    let_wait_pass()
    forward()

    assert list_arrived(other_side.taken) == expected
    assert load_lag(get_worker().connection, name_consumer(destination.pk)).events == 0
    assert load_progress(destination).failing_since is None
    assert count_copies()[0] == 60


def test_a_worker_that_dies_before_the_cursor_moved_has_the_same_batch_sent_again(
    source: Source, other_side: OtherSide, make_destination: MakeDestination, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_destination(settings={"per_request": 10})
    act(source, 3)

    def die(*_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(run, "record_outcome", die)
        with pytest.raises(SystemExit):
            forward()
    first = {request.headers["webhook-id"]: request.body for request in other_side.heard}
    act(source)
    forward()
    assert len(other_side.heard) == len(first), "its lanes are held until the lease ends"
    let_leases_end()
    forward()

    again = {request.headers["webhook-id"]: request.body for request in other_side.heard[len(first) :]}
    assert first.items() <= again.items()
    assert len(again) > len(first)


def test_who_lost_the_lease_moves_no_cursor(
    source: Source, other_side: OtherSide, make_destination: MakeDestination, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination = make_destination()
    expected = act(source)
    record = record_outcome
    counted = []

    def lose(*arguments: Any) -> int:
        # Somebody else takes all lanes while this one waits for the network, and dies in turn.
        let_leases_end()
        monkeypatch.setattr(run, "record_outcome", lambda *_: 0)
        run_pass(arguments[0], destination.pk)
        monkeypatch.setattr(run, "record_outcome", record)
        counted.append(record(*arguments))
        return counted[-1]

    monkeypatch.setattr(run, "record_outcome", lose)
    run_pass(get_worker().connection, destination.pk)
    assert counted == [0]
    assert load_lag(get_worker().connection, name_consumer(destination.pk)).events == len(PEOPLE)

    let_leases_end()
    forward()
    assert {ids[0] for ids in list_arrived(other_side.taken).values()} == {ids[0] for ids in expected.values()}
    assert count_copies()[0] == len(PEOPLE)


def test_two_workers_at_once_double_nothing(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    destination = make_destination()
    expected = act(source, 20)
    barrier = threading.Barrier(2)

    workers = [threading.Thread(target=work_apart, args=(destination.pk, barrier)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)

    assert list_arrived(other_side.taken) == expected


@pytest.mark.parametrize("per_request", [1, 7])
def test_what_is_refused_for_good_is_noted_and_stops_nothing(
    source: Source, other_side: OtherSide, make_destination: MakeDestination, per_request: int
) -> None:
    destination = make_destination(settings={"per_request": per_request})

    def dislike_three(request: Heard) -> Say:
        return Say(status=422, body=b"no threes") if b'"number":3' in request.body else Say()

    other_side.answer = dislike_three
    expected = act(source, 6)
    forward()

    arrived = list_arrived(other_side.taken)
    assert arrived == {person: ids[:3] + ids[4:] for person, ids in expected.items()}
    noted = RefusedCopy.objects.filter(destination=destination)
    assert {str(row.copy_id) for row in noted} == {ids[3] for ids in expected.values()}
    assert {row.reason for row in noted} == {"It answered 422: no threes"}
    assert count_copies() == (30, 6)
    assert load_progress(destination).failures == 0
    assert load_lag(get_worker().connection, name_consumer(destination.pk)).events == 0


def test_of_many_refusals_some_are_noted_and_all_are_counted_and_old_ones_go(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    destination = make_destination()
    long_ago = datetime.now(UTC) - timedelta(days=40)
    RefusedCopy.objects.create(
        destination=destination, copy_id=uuid4(), lane=1, name="old", reason="old", refused_at=long_ago
    )
    CopyCount.objects.create(destination=destination, hour=long_ago, sent=1, refused=1)
    # Now and then it takes one: who refuses everything is not believed.
    other_side.answer = lambda request: Say(status=200 if b'"number":9' in request.body else 400)
    for _ in range(10):
        act(source, 2)
        forward()
        report("visit", source=source, properties={"number": 9})
        evaluate()
        forward()
    assert count_copies()[1] == 120
    assert RefusedCopy.objects.count() == 100
    assert not RefusedCopy.objects.filter(name="old").exists()


def test_what_is_said_of_a_copy_whose_person_is_erased_meanwhile_is_not_kept(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    make_destination()
    report("visit", source=source, user_id="ada")
    report("visit", source=source, user_id="grace")
    evaluate()

    def erase_ada() -> None:
        ask_erasure(get_worker().connection, compute_user_profile_id("ada"), "test")
        evaluate()
        close_worker()
        connections.close_all()

    def answer(_: Heard) -> Say:
        eraser = threading.Thread(target=erase_ada)
        eraser.start()
        eraser.join()
        return Say(status=422, body=b"I know neither ada nor grace")

    other_side.answer = answer
    forward()

    assert RefusedCopy.objects.count() == 1
    assert RefusedCopy.objects.get().copy_id == Event.objects.get(name="visit").pk
    assert count_copies()[1] == 2


@pytest.mark.parametrize("status", [301, 401, 402, 404, 409, 421, 423, 426, 429, 451, 500, 0])
def test_a_shut_door_is_never_taken_for_a_refusal_of_what_was_sent(
    source: Source, other_side: OtherSide, make_destination: MakeDestination, status: int
) -> None:
    destination = make_destination()
    other_side.refuse(status)
    expected = act(source)
    forward()
    assert not RefusedCopy.objects.exists()
    assert load_progress(destination).failures == 1

    other_side.recover()
    let_wait_pass()
    forward()
    assert list_arrived(other_side.taken) == expected


@pytest.mark.parametrize("per_request", [1, 5])
def test_who_refuses_everything_is_not_believed_for_long(
    source: Source, other_side: OtherSide, make_destination: MakeDestination, per_request: int
) -> None:
    destination = make_destination(settings={"per_request": per_request})
    other_side.refuse(400)
    expected = act(source, 20)
    for _ in range(5):
        forward()
        let_wait_pass()
    assert RefusedCopy.objects.count() == MOST_REFUSALS
    progress = load_progress(destination)
    assert progress.failures > 1
    assert progress.error == "It refuses everything. It answered 400."

    other_side.recover()
    forward()
    lost = {str(row.copy_id) for row in RefusedCopy.objects.all()}
    left = {person: [one for one in ids if one not in lost] for person, ids in expected.items()}
    # Which were given up hangs on the lanes that these people are in: it may be all of somebody's.
    assert list_arrived(other_side.taken) == {person: ids for person, ids in left.items() if ids}
    assert load_progress(destination).refusals == 0


def test_a_wait_that_is_asked_for_is_kept(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    destination = make_destination()
    other_side.refuse(429, Retry_After="120")
    act(source)
    forward()
    progress = load_progress(destination)
    assert progress.retry_at is not None
    assert timedelta(seconds=110) < progress.retry_at - datetime.now(UTC) <= timedelta(seconds=120)

    other_side.refuse(503, Retry_After=format_datetime(datetime.now(UTC) + timedelta(hours=3), usegmt=True))
    let_wait_pass()
    forward()
    progress = load_progress(destination)
    assert progress.retry_at is not None
    assert timedelta(minutes=170) < progress.retry_at - datetime.now(UTC) <= timedelta(hours=3)


def test_a_receiver_that_says_it_is_gone_is_paused_and_loses_nothing(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    destination = make_destination()
    other_side.refuse(410)
    act(source)
    forward()
    let_wait_pass()
    forward()
    destination.refresh_from_db()
    assert destination.state == DestinationState.PAUSED
    assert load_lag(get_worker().connection, name_consumer(destination.pk)).events == len(PEOPLE)


def test_a_destination_that_hangs_holds_up_no_other(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    met, held = threading.Event(), threading.Event()
    slow = make_destination(name="slow", settings={"url": other_side.url + "/slow"})
    quick = make_destination(name="quick")

    def hang(request: Heard) -> Say:
        if request.path == "/slow":
            met.set()
            held.wait(10)
        return Say()

    other_side.answer = hang
    expected = act(source)

    worker = threading.Thread(target=work_apart, args=(slow.pk,))
    worker.start()
    assert met.wait(10)
    run_pass(get_worker().connection, quick.pk)
    arrived = [request for request in other_side.taken if request.path == "/hook"]
    held.set()
    worker.join(30)
    assert list_arrived(arrived) == expected
