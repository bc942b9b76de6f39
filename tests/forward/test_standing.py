"""One copy that the other side chokes on stops its own lane alone; while nothing is taken, nothing is given up."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from engagement.lib.ids import compute_lane
from tests.cast import evaluate, report
from tests.forward.conftest import MakeDestination, count_copies, forward, let_wait_pass, load_progress
from tests.other_side import Heard, OtherSide, Say
from tracking.event import compute_user_profile_id
from tracking.log.follow import load_lag
from tracking.models import Source
from triggers.forward.claim import claim_lanes, name_consumer
from triggers.forward.standing import MOST_STRIKES, Fault, LaneStanding, find_fault
from triggers.models import CopyLease, Destination, DestinationState, RefusedCopy
from triggers.worker import get_worker

pytestmark = pytest.mark.slow

POISONED = "p0"
PEOPLE = [f"p{number}" for number in range(12)]
LANE = compute_lane(compute_user_profile_id(POISONED))
OTHERS = [person for person in PEOPLE if compute_lane(compute_user_profile_id(person)) != LANE]
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def choke(request: Heard) -> Say:
    """Break at the poison, wherever in a request it is."""
    return Say(status=500, body=b"out of range") if b"poison" in request.body else Say()


def act(source: Source, people: list[str] = PEOPLE, **properties: str) -> dict[str, str]:
    """Let everybody do something; return the ids of their events."""
    done = {person: str(report("visit", source=source, user_id=person, properties=properties).id) for person in people}
    evaluate()
    return done


def list_webhooks(taken: list[Heard]) -> list[str]:
    """Return the ids of what a webhook took, in order."""
    messages = [request.json for request in taken]
    return [one["data"]["id"] for said in messages for one in (said["data"] if said["type"] == "batch" else [said])]


def list_imported(taken: list[Heard]) -> list[str]:
    """Return the ids of what Mixpanel took, in order."""
    return [one["properties"]["$insert_id"] for request in taken for one in request.json]


def list_collected(taken: list[Heard]) -> list[str]:
    """Return the ids of what Google took, in order."""
    return [one["params"]["event_id"] for request in taken for one in request.json["events"]]


def count_waiting(destination: Destination) -> int:
    return load_lag(get_worker().connection, name_consumer(destination.pk)).events


def count_strikes() -> int:
    return CopyLease.objects.values_list("strikes", flat=True).get(lane=LANE)


@pytest.mark.parametrize(
    ("kind", "own", "read"),
    [
        ("webhook", {}, list_webhooks),
        ("webhook", {"per_request": 10}, list_webhooks),
        ("mixpanel", {}, list_imported),
        ("ga4", {}, list_collected),
    ],
)
def test_a_copy_that_is_never_taken_stops_its_lane_alone_until_it_is_given_up(
    source: Source,
    other_side: OtherSide,
    make_destination: MakeDestination,
    kind: str,
    own: dict[str, int],
    read: Callable[[list[Heard]], list[str]],
) -> None:
    destination = make_destination(kind, settings=own)
    other_side.answer = choke
    before = act(source)
    poison = report("visit", source=source, user_id=POISONED, properties={"x": "poison"})
    after = act(source)
    forward()
    expected = {done[person] for person in OTHERS for done in (before, after)} | {before[POISONED]}
    for _ in range(3):
        let_wait_pass()
        forward()
    assert expected <= set(read(other_side.taken))
    assert after[POISONED] not in read(other_side.taken)
    assert load_progress(destination).failures == 0

    rounds = 0
    while not RefusedCopy.objects.exists() and rounds < 2 * MOST_STRIKES:
        expected |= set(act(source, OTHERS).values())
        heard = len(other_side.heard)
        let_wait_pass()
        forward()
        rounds += 1
        assert load_progress(destination).failures == 0, "the others go on without a pause"
        assert len([one for one in other_side.heard[heard:] if b"poison" in one.body]) == 1, "it is tried once, alone"
    refused = RefusedCopy.objects.get()
    assert refused.copy_id == poison.id
    assert refused.reason == "Tried 10 times, while others were taken. It answered 500: out of range"
    forward()
    expected |= set(before.values()) | set(after.values())
    assert sorted(read(other_side.taken)) == sorted(expected)
    assert count_copies() == (len(expected), 1)
    assert count_waiting(destination) == 0
    assert count_strikes() == 0


def test_a_copy_that_met_the_door_first_does_not_keep_it_shut_for_the_others(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    destination = make_destination()
    other_side.answer = choke
    act(source, [POISONED], x="poison")
    forward()
    let_wait_pass()
    forward()
    assert load_progress(destination).failures == 2, "as far as anybody can tell nothing is taken"

    act(source, OTHERS)
    let_wait_pass()
    forward()

    assert len(other_side.taken) == len(OTHERS)
    assert load_progress(destination).failures == 0


def test_while_nothing_is_taken_nothing_is_given_up_however_often_it_failed_before(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    destination = make_destination()
    other_side.answer = choke
    act(source, [POISONED], x="poison")
    for _ in range(MOST_STRIKES - 1):
        act(source, OTHERS)
        let_wait_pass()
        forward()
    assert count_strikes() == MOST_STRIKES - 1

    other_side.refuse(500)
    act(source, OTHERS)
    for _ in range(3 * len(PEOPLE)):
        let_wait_pass()
        forward()

    assert not RefusedCopy.objects.exists()
    assert load_progress(destination).failures > MOST_STRIKES
    other_side.recover()
    for _ in range(2):
        let_wait_pass()
        forward()
    assert count_waiting(destination) == 0
    assert len(other_side.taken) == MOST_STRIKES * len(OTHERS) + 1


def test_who_is_told_to_slow_down_gives_up_nothing_though_others_are_taken(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    make_destination()
    other_side.answer = lambda request: Say(status=429) if b"poison" in request.body else Say()
    act(source, [POISONED], x="poison")
    for _ in range(3 * MOST_STRIKES):
        act(source, OTHERS[:2])
        let_wait_pass()
        forward()
    assert not RefusedCopy.objects.exists()
    assert not CopyLease.objects.filter(strikes__gt=0).exists()


def test_of_the_lanes_that_are_in_doubt_one_is_tried_at_a_time(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    destination = make_destination()
    act(source)
    lanes = [compute_lane(compute_user_profile_id(person)) for person in PEOPLE[:4]]
    for lane in lanes:
        CopyLease.objects.create(
            destination=destination, lane=lane, token=uuid4(), lease_until=NOW, tried_at=NOW, strikes=1
        )
    CopyLease.objects.filter(lane=lanes[2]).update(tried_at=NOW - timedelta(hours=1))
    claim = claim_lanes(get_worker().connection, destination.pk)
    assert claim is not None
    assert claim.doubtful == {lanes[2]}
    assert len(claim.batches) > 4


def test_a_receiver_that_is_gone_for_one_lane_is_gone_for_all(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    destination = make_destination()
    other_side.answer = lambda request: Say(status=410) if b"poison" in request.body else Say()
    act(source, OTHERS)
    act(source, [POISONED], x="poison")
    forward()
    destination.refresh_from_db()
    assert destination.state == DestinationState.PAUSED


def stand(lane: int, *, taken: int | None = None, failed: int | None = None, strikes: int = 0) -> LaneStanding:
    """Return a lane of which something was taken, or failed, so many minutes after noon."""
    taken_at, failed_at = (None if at is None else NOW + timedelta(minutes=at) for at in (taken, failed))
    token = UUID(int=1)
    return LaneStanding(lane=lane, token=token, tried_at=NOW, taken_at=taken_at, failed_at=failed_at, strikes=strikes)


@pytest.mark.parametrize(
    ("others", "strikes", "fault"),
    [
        ([], 0, Fault.DOOR),
        ([], 1, Fault.UNKNOWN),
        ([stand(1, taken=-5)], 0, Fault.DOOR),
        ([stand(1, taken=-5)], 1, Fault.UNKNOWN),
        ([stand(1, taken=5)], 0, Fault.LANE),
        ([stand(1, taken=5), stand(2, failed=5)], 0, Fault.LANE),
        ([stand(1, taken=5), stand(2, failed=5), stand(3, failed=5)], 1, Fault.DOOR),
        ([stand(1, taken=5), stand(2, failed=-5), stand(3, failed=-5)], 0, Fault.LANE),
        ([stand(1, taken=3, failed=5)], 1, Fault.DOOR),
    ],
)
def test_a_failure_is_a_lanes_own_while_more_of_the_others_are_taken_than_fail(
    others: list[LaneStanding], strikes: int, fault: Fault
) -> None:
    lane = stand(0, failed=9, strikes=strikes)
    assert find_fault(lane, NOW, [lane, *others]) is fault
