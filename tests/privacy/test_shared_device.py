"""A device that several people used: each one's part of it is theirs, and goes with them alone."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from engagement.lib.ids import compute_lane
from tests.cast import ON_CART, evaluate, make_rule, report
from tests.privacy.conftest import decide_lanes, erase, find_mentions
from tracking.erasure.ask import ask_erasure
from tracking.erasure.moments import load_belongings
from tracking.erasure.periods import load_spans
from tracking.event import LINKED, compute_anonymous_profile_id, compute_user_profile_id
from tracking.log.read import LoggedEvent
from tracking.log.write import Connection
from tracking.models import Erasure, Event, Profile, ProfileChange, SetAside, Source, Tombstone
from tracking.profiles import load_person
from triggers.audit.compare import audit
from triggers.erase.carry_out import carry_out
from triggers.erase.preview import Held, count_held
from triggers.evaluate import run as evaluate_run
from triggers.export import export_person
from triggers.models import Activation
from triggers.worker import get_worker

pytestmark = pytest.mark.slow

PEOPLE = ("ada-lovelace", "grace-hopper", "karen-jones")


def browse(source: Source, step: str) -> None:
    report("add_to_cart", source=source, user_id=None, anonymous_id="family-tablet", properties={"step": step})
    evaluate()


def sign_in(source: Source, person: str) -> None:
    traits = {"email": f"{person}@example.com"}
    report("$identify", source=source, user_id=person, anonymous_id="family-tablet", properties={"traits": traits})
    evaluate()


def list_steps() -> list[str]:
    return [event.properties["step"] for event in Event.objects.filter(name="add_to_cart").order_by("seq")]


@pytest.fixture
def tablet(source: Source) -> Source:
    """Ada uses it, then Grace, then Karen."""
    make_rule("Cart", trigger=ON_CART)
    step = {"node": "compare", "field": {"from": "event", "path": "step"}, "operator": "is", "value": "other"}
    make_rule("Once", trigger=ON_CART, reentry={"kind": "once"}, conditions={"node": "not", "of": step})
    browse(source, "before ada")
    sign_in(source, "ada-lovelace")
    browse(source, "ada")
    sign_in(source, "grace-hopper")
    browse(source, "grace")
    sign_in(source, "karen-jones")
    browse(source, "karen")
    return source


@pytest.mark.parametrize(
    ("person", "left"),
    [
        ("ada-lovelace", ["grace", "karen"]),
        ("grace-hopper", ["before ada", "ada", "karen"]),
        ("karen-jones", ["before ada", "ada", "grace"]),
    ],
)
def test_each_persons_part_of_a_device_goes_with_them_alone(tablet: Source, person: str, left: list[str]) -> None:
    others = set(PEOPLE) - {person}

    erase(compute_user_profile_id(person))

    assert list_steps() == left
    assert find_mentions(*PEOPLE).keys() == others
    gone = [step for step in ("before ada", "grace", "karen") if step not in left]
    assert [step for step in gone if find_mentions(f'"{step}"')] == []
    assert {profile.user_id for profile in Profile.objects.all()} - {None} == others
    assert audit().is_clean
    for other in sorted(others):
        report("add_to_cart", source=tablet, user_id=other, properties={"step": other})
    browse(tablet, "later")
    assert audit().is_clean


def alias(source: Source, person: str, previous: str) -> None:
    report("$alias", source=source, user_id=person, properties={"previous_id": previous})
    evaluate()


def use_twice(source: Source) -> None:
    """Ada uses it under an old id and, once Grace has signed in, under her new one."""
    make_rule("Cart", trigger=ON_CART)
    sign_in(source, "ada-lovelace")
    browse(source, "ada")
    sign_in(source, "grace-hopper")
    browse(source, "grace")
    sign_in(source, "ada-king")
    browse(source, "ada again")


def count_held_of(person: str) -> Held:
    connection = get_worker().connection
    state = load_person(connection, compute_user_profile_id(person))
    assert state is not None
    return count_held(connection, load_spans(connection, state))


def test_who_used_a_device_twice_is_given_and_loses_both_times(source: Source) -> None:
    use_twice(source)
    sign_in(source, "karen-jones")
    browse(source, "karen")
    alias(source, "ada-king", "ada-lovelace")
    held = count_held_of("ada-king")

    pieces = export_person(compute_user_profile_id("ada-king"))
    document = json.loads(b"".join(pieces or ()))
    receipt = erase(compute_user_profile_id("ada-king"))

    assert list_steps() == ["grace", "karen"]
    steps = [event["properties"].get("step") for event in document["events"] if event["name"] == "add_to_cart"]
    assert sorted(steps) == ["ada", "ada again"]
    assert len([row for row in document["profiles"] if row["anonymous_id"] == "family-tablet"]) == 2
    assert held.decisions == len(document["activations"]) == 2
    assert find_mentions("ada-lovelace", "ada-king", '"ada again"', "grace-hopper").keys() == {"grace-hopper"}
    assert Tombstone.objects.filter(erasure_id=receipt.pk, number=1).count() == 1
    assert audit().is_clean
    again = datetime.now(UTC) - timedelta(days=1)
    report("add_to_cart", source=source, user_id=None, anonymous_id="family-tablet", timestamp=again, message_id="m1")
    sign_in(source, "joan-clarke")
    evaluate()
    assert not Event.objects.filter(message_id="m1").exists()
    assert audit().is_clean


def count_queries(monkeypatch: pytest.MonkeyPatch, person: str) -> int:
    """Return how many queries tell when the four devices of a person, which somebody else has now, were theirs."""
    connection = get_worker().connection
    state = load_person(connection, compute_user_profile_id(person))
    assert state is not None
    asked: list[object] = []

    def execute(query: Any, *values: Any) -> Any:
        asked.append(query)
        return type(connection).execute(connection, query, *values)

    with monkeypatch.context() as patch:
        patch.setattr(connection, "execute", execute)
        belongings = load_belongings(connection, load_spans(connection, state))
    assert len([one for one in belongings if one.until is not None]) == 4
    return len(asked)


def test_it_is_asked_at_once_whose_all_devices_were(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        for person in PEOPLE[:2]:
            report("$identify", source=source, user_id=person, anonymous_id=f"device-{number}")
            evaluate()

    assert count_queries(monkeypatch, "ada-lovelace") == 3


def test_who_uses_a_device_for_the_second_time_loses_the_first_too(source: Source) -> None:
    use_twice(source)
    alias(source, "ada-king", "ada-lovelace")

    receipt = erase(compute_user_profile_id("ada-king"))

    assert receipt.completed_at is not None
    assert list_steps() == ["grace"]
    assert find_mentions("ada-lovelace", "ada-king").keys() == set()
    browse(source, "later")
    assert Activation.objects.count() == 2
    assert audit().is_clean


def lane_of(person: str) -> int:
    return compute_lane(compute_user_profile_id(person))


def watch_orders(monkeypatch: pytest.MonkeyPatch, receipt: UUID | None) -> list[bool]:
    """Note, of each order that is carried out, whether the receipt said already that all is done."""
    said: list[bool] = []

    def carry_out_watched(connection: Connection, event: LoggedEvent) -> bool:
        said.append(Erasure.objects.get(pk=str(receipt)).completed_at is not None)
        return carry_out(connection, event)

    monkeypatch.setattr(evaluate_run, "carry_out", carry_out_watched)
    return said


def find_late(source: Source, monkeypatch: pytest.MonkeyPatch, first: str) -> UUID | None:
    """Ada uses the tablet under both her ids, Grace in between; when an erasure begins, nobody has heard of the alias
    but who was asked to join."""
    make_rule("Cart", trigger=ON_CART)
    second = {"ada-lovelace": "ada-king", "ada-king": "ada-lovelace"}[first]
    for person in (first, "grace-hopper", second):
        sign_in(source, person)
        browse(source, person)
    report("$alias", source=source, user_id="ada-king", properties={"previous_id": "ada-lovelace"})

    # She is asked to join and does, and is not heard of before the erasure begins.
    decide_lanes(monkeypatch, lane_of("ada-king"))
    receipt = ask_erasure(get_worker().connection, compute_user_profile_id("ada-king"), "test")
    decide_lanes(monkeypatch, lane_of("ada-lovelace"))
    return receipt


@pytest.mark.parametrize("first", ["ada-lovelace", "ada-king"])
def test_who_is_found_to_be_the_person_after_their_device_was_told_loses_their_times_on_it_too(
    source: Source, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    receipt = find_late(source, monkeypatch, first)
    carried_out = watch_orders(monkeypatch, receipt)
    # The device comes last, and is told twice.
    device = compute_lane(compute_anonymous_profile_id(source.pk, "family-tablet"))
    for _ in range(3):
        decide_lanes(monkeypatch, *(lane for lane in range(64) if lane != device))
    evaluate()

    assert len(carried_out) > 4
    assert not any(carried_out), "the receipt said that it was done before all was"
    assert list_steps() == ["grace-hopper"]
    assert find_mentions("ada-lovelace", "ada-king", str(compute_user_profile_id("ada-lovelace"))) == {}
    assert not Profile.objects.exclude(linked_to=None).exists()
    assert Erasure.objects.get(pk=str(receipt)).completed_at is not None
    assert audit().is_clean
    browse(source, "later")
    assert Activation.objects.count() == 2
    assert audit().is_clean


def test_an_order_to_a_device_that_failed_is_made_up_for_by_the_next(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = find_late(source, monkeypatch, "ada-king")
    device = compute_anonymous_profile_id(source.pk, "family-tablet")

    def fail_first(connection: Connection, event: LoggedEvent) -> bool:
        if event.profile_id == device and event.properties["found"] is None:
            raise ZeroDivisionError
        return carry_out(connection, event)

    monkeypatch.setattr(evaluate_run, "carry_out", fail_first)
    evaluate()

    assert list_steps() == ["grace-hopper"]
    assert find_mentions("ada-lovelace", "ada-king") == {}
    assert Erasure.objects.get(pk=str(receipt)).completed_at is not None
    assert not SetAside.objects.exists()


def test_who_signs_in_after_an_erasure_does_not_inherit_an_earlier_persons_history(tablet: Source) -> None:
    make_rule("Known", trigger={"kind": "event", "event": "view"}, conditions={"node": "never", "event": "add_to_cart"})
    erase(compute_user_profile_id("karen-jones"))
    sign_in(tablet, "joan-clarke")
    report("view", source=tablet, user_id="joan-clarke")
    evaluate()

    assert Activation.objects.filter(profile_id=compute_user_profile_id("joan-clarke")).count() == 1
    assert audit().is_clean


def test_that_a_device_changed_hands_is_still_known_and_not_from_whom(tablet: Source) -> None:
    erase(compute_user_profile_id("ada-lovelace"))
    erase(compute_user_profile_id("grace-hopper"))

    device = compute_anonymous_profile_id(tablet.pk, "family-tablet")
    asked = Event.objects.filter(profile_id=device, name=LINKED).order_by("seq")
    # Each sign-in stands there twice: it told the device at once, and the evaluator said so again.
    assert [event.properties["user_id"] for event in asked] == [None] * 4 + ["karen-jones"] * 2
    assert ProfileChange.objects.filter(profile_id=device, patch__name=LINKED).count() == 6
    assert find_mentions("ada-lovelace", "grace-hopper", str(compute_user_profile_id("ada-lovelace"))) == {}
    assert audit().is_clean


def test_what_somebody_told_on_a_device_is_not_the_next_persons(source: Source) -> None:
    traits = {"traits": {"email": "lovelace@example.com"}}
    report("$identify", source=source, user_id=None, anonymous_id="family-tablet", properties=traits)
    for person in PEOPLE:
        report("view", source=source, user_id=person, anonymous_id="family-tablet")
        evaluate()

    told = {profile.user_id: profile.traits for profile in Profile.objects.exclude(user_id=None)}
    assert told == {"ada-lovelace": traits["traits"], "grace-hopper": {}, "karen-jones": {}}
