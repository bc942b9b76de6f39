"""A device that several people use: what happens on it is theirs who signed in last, and nobody else's."""

import time
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engagement.lib.ids import compute_lane
from tests.cast import (
    CART,
    ON_CART,
    deliver,
    evaluate,
    make_rule,
    make_template,
    pass_time,
    report,
    scan,
    the_delivery,
)
from tests.mail_server import MailServer
from tracking.event import compute_anonymous_profile_id, compute_user_profile_id
from tracking.log.read import find_lagging_lanes, load_bound
from tracking.models import Event, Profile, Source
from triggers.admin.timeline import find_spans
from triggers.audit.compare import audit
from triggers.evaluate import linking
from triggers.evaluate.run import CONSUMER, PassReport
from triggers.models import Activation
from triggers.worker import get_worker

PEOPLE, DEVICES = ("ada", "bob", "eve"), ("tablet", "phone")
_examples = count()


def sign_in(source: Source, person: str, device: str = "tablet") -> None:
    traits = {"email": f"{person}@shop.example"}
    report("$identify", source=source, user_id=person, anonymous_id=device, properties={"traits": traits})


def shop(source: Source, step: object, device: str = "tablet") -> None:
    report("add_to_cart", source=source, user_id=None, anonymous_id=device, properties={"cart_id": str(step)})


def list_steps(person: str) -> set[str]:
    """Return what is in a person's history."""
    profile = Profile.objects.get(pk=compute_user_profile_id(person))
    found = set()
    for profile_id, since, until in find_spans(profile):
        rows = Event.objects.filter(name="add_to_cart", profile_id=profile_id, seq__gt=since, seq__lte=until)
        found |= set(rows.values_list("properties__cart_id", flat=True))
    return found


def list_decided(people: set[str], steps: set[str]) -> dict[str, set[str]]:
    """Return for whom each step was decided; "" for a device that was nobody's."""
    names = {compute_user_profile_id(person): person for person in people}
    events = dict(Event.objects.filter(properties__cart_id__in=steps).values_list("pk", "properties__cart_id"))
    decided: dict[str, set[str]] = {}
    for profile_id, event_id in Activation.objects.filter(event_id__in=events).values_list("profile_id", "event_id"):
        decided.setdefault(names.get(profile_id, ""), set()).add(events[event_id])
    return decided


class Model:
    """Whose each step is: by the one rule."""

    def __init__(self) -> None:
        self.owner: dict[str, str] = {}
        self.before: dict[str, list[str]] = {}
        self.decided: dict[str, set[str]] = {}
        self.history: dict[str, set[str]] = {}

    def sign_in(self, person: str, device: str) -> None:
        self.history.setdefault(person, set()).update(self.before.pop(device, ()))
        self.owner[device] = person

    def shop(self, step: str, device: str) -> None:
        owner = self.owner.get(device, "")
        self.decided.setdefault(owner, set()).add(step)
        if owner:
            self.history[owner].add(step)
        else:
            self.before.setdefault(device, []).append(step)


ACTIONS = st.lists(
    st.tuples(st.sampled_from((*PEOPLE, "")), st.sampled_from(DEVICES), st.booleans().map(lambda skips: not skips)),
    max_size=14,
)
"""Who signs in, or "" for somebody who shops; where; and whether the evaluator decides before the next one."""


@pytest.fixture
def cart_rule(source: Source) -> None:
    make_rule(trigger=ON_CART)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=ACTIONS)
def test_each_period_is_theirs_who_signed_in_last(
    source: Source, cart_rule: None, actions: list[tuple[str, str, bool]]
) -> None:
    example, model, steps = next(_examples), Model(), set()
    for number, (name, kind, is_decided) in enumerate(actions):
        person, device = f"{name}-{example}", f"{kind}-{example}"
        if name:
            sign_in(source, person, device)
            model.sign_in(person, device)
        else:
            steps.add(step := f"{example}-{number}")
            shop(source, step, device)
            model.shop(step, device)
        if is_decided:
            evaluate()
    evaluate()

    assert list_decided(set(model.history), steps) == model.decided
    assert {person: list_steps(person) for person in model.history} == model.history
    assert audit().is_clean


@pytest.fixture
def mail_rule(source: Source) -> None:
    make_rule(trigger=ON_CART, template=make_template(subject="{{ event.cart_id }}").pk)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=ACTIONS, chance=st.randoms(use_true_random=False))
def test_each_message_reaches_whose_it_is_whichever_lane_is_faster(
    source: Source, server: MailServer, mail_rule: None, actions: list[tuple[str, str, bool]], chance: Random
) -> None:
    example, model = next(_examples), Model()
    for number, (name, kind, is_decided) in enumerate(actions):
        person, device = f"{name}-{example}", f"{kind}-{example}"
        if name:
            report("$identify", source=source, user_id=person, anonymous_id=device)
            model.sign_in(person, device)
        else:
            shop(source, f"{example}-{number}", device)
            model.shop(f"{example}-{number}", device)
        if is_decided:
            decide_some_lanes(chance)
            deliver()
    for person in model.history:
        report("$identify", source=source, user_id=person, properties={"traits": {"email": f"{person}@shop.example"}})
        decide_some_lanes(chance)
        deliver()
    evaluate()
    deliver()

    mailed = sorted((mail["Subject"], mail["To"]) for mail in server.mails if mail["Subject"].startswith(f"{example}-"))
    assert mailed == sorted((step, f"{one}@shop.example") for one, steps in model.history.items() for step in steps)


def decide_some_lanes(chance: Random) -> None:
    """Decide what is new in a few lanes, as when others work on the rest."""
    worker = get_worker()
    bound = load_bound(worker.connection)
    lagging = find_lagging_lanes(worker.connection, CONSUMER, bound)
    worker.evaluator.book.refresh(worker.connection)
    for lane in chance.sample(lagging, chance.randint(0, min(len(lagging), 5))):
        worker.evaluator._run_lane(lane, bound, time.monotonic() + 5, PassReport())


def test_who_signs_in_later_is_not_mailed_the_cart_of_who_was_there_before(source: Source, server: MailServer) -> None:
    make_rule(trigger=CART, template=make_template().pk)
    shop(source, "before ada")
    for person in ("ada", "bob", "ada", "eve"):
        sign_in(source, person)
        evaluate()
        if person == "bob":
            shop(source, "bob's")
            evaluate()
    pass_time(2 * 3600)
    scan()
    pass_time(60)
    deliver()

    assert sorted(mail["To"] for mail in server.mails) == ["ada@shop.example", "bob@shop.example"]


@pytest.mark.parametrize("trigger", [ON_CART, CART], ids=["at once", "after a wait"])
@pytest.mark.parametrize("is_new", [True, False], ids=["first seen", "known"])
def test_what_follows_a_sign_in_in_the_same_moment_is_theirs(
    source: Source, server: MailServer, trigger: dict[str, Any], is_new: bool
) -> None:
    make_rule(
        trigger=trigger,
        conditions={"node": "compare", "field": {"from": "profile", "path": "email"}, "operator": "set"},
        template=make_template(html="<p>{{ user.email }}</p>").pk,
    )
    sign_in(source, "ada")
    if not is_new:
        sign_in(source, "bob", "phone")
    evaluate()
    sign_in(source, "bob")
    shop(source, "bob's")
    sign_in(source, "eve")
    evaluate()
    deliver()
    pass_time(2 * 3600)
    scan()
    pass_time(60)
    deliver()

    assert [mail["To"] for mail in server.mails] == ["bob@shop.example"]
    assert audit().is_clean


def test_a_retry_of_a_sign_in_does_not_take_the_device_back(source: Source) -> None:
    now = datetime.now(UTC)
    said: dict[str, Any] = {"source": source, "anonymous_id": "tablet", "message_id": "m1", "now": now}
    for clock in (now - timedelta(hours=20), now, now + timedelta(hours=30)):
        report("$identify", timestamp=clock, sent_at=clock, **said)
        sign_in(source, "bob")
        report("$identify", timestamp=clock, sent_at=clock, **said | {"now": now + timedelta(seconds=1)})
        evaluate()

        assert load_owner(source) == "bob"
    assert Event.objects.filter(name="$identify", user_id="ada").count() == 3
    assert audit().is_clean


def test_what_was_messaged_to_who_had_the_device_before_does_not_count(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, reentry={"kind": "once"}, template=make_template().pk)
    shop(source, "before")
    evaluate()
    for person in ("ada", "bob"):
        sign_in(source, person)
        shop(source, f"{person}'s")
        report("add_to_cart", source=source, user_id=person)
        evaluate()
        deliver()

    assert sorted(mail["To"] for mail in server.mails) == ["ada@shop.example", "bob@shop.example"]


def test_a_message_planned_for_a_device_waits_until_who_signed_in_is_known(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    shop(source, "before")
    evaluate()
    sign_in(source, "ada")
    lane = compute_lane(compute_anonymous_profile_id(source.pk, "tablet"))
    worker = get_worker()
    worker.evaluator._run_lane(lane, load_bound(worker.connection), time.monotonic() + 5, PassReport())
    deliver()
    assert server.mails == []
    assert the_delivery() == ("planned", "awaits_address")

    evaluate()
    deliver()

    assert [mail["To"] for mail in server.mails] == ["ada@shop.example"]


def test_who_signs_in_is_known_though_their_sign_in_could_not_be_decided(source: Source) -> None:
    shop(source, "before")
    sign_in(source, "ada")
    Event.objects.filter(name="$identify").delete()
    evaluate()

    assert Profile.objects.get(pk=compute_user_profile_id("ada")).user_id == "ada"
    assert list_steps("ada") == {"before"}


@pytest.mark.parametrize("trigger", [CART, {"kind": "inactivity", "after": 3600}], ids=["cart", "quiet"])
def test_a_silence_of_who_had_the_device_before_does_not_take_it_back(source: Source, trigger: dict[str, Any]) -> None:
    make_rule(trigger=trigger)
    sign_in(source, "ada")
    report("add_to_cart", source=source, user_id="ada", anonymous_id="tablet", properties={"cart_id": "ada's"})
    evaluate()
    sign_in(source, "bob")
    evaluate()

    pass_time(2 * 3600)
    assert scan() == 1

    assert load_owner(source) == "bob"
    assert audit().is_clean


@pytest.mark.parametrize("people", ["ab", "aba", "abab", "abcab"])
def test_a_backlog_ends_with_who_signed_in_last(source: Source, people: str) -> None:
    for person in people:
        sign_in(source, person)
    evaluate()

    assert load_owner(source) == people[-1]
    assert audit().is_clean


def test_history_that_is_imported_takes_a_device_from_nobody(source: Source) -> None:
    sign_in(source, "bob")
    evaluate()
    report("visit", source=source, user_id="ada", anonymous_id="tablet", origin=1)
    evaluate()
    assert load_owner(source) == "bob"

    sign_in(source, "ada")
    evaluate()
    assert load_owner(source) == "ada"


def load_owner(source: Source) -> str | None:
    linked_to = Profile.objects.get(pk=compute_anonymous_profile_id(source.pk, "tablet")).linked_to
    return Profile.objects.filter(pk__in=[linked_to] if linked_to else []).values_list("user_id", flat=True).first()


def test_an_id_that_many_share_is_nobodys_in_the_end(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linking, "MAX_PERIODS", 2)
    for person in ("ada", "bob") * 8:
        sign_in(source, person)
        evaluate()

    assert load_owner(source) is None
    device = compute_anonymous_profile_id(source.pk, "tablet").hex
    assert {len(profile.joined[device]) for profile in Profile.objects.exclude(user_id=None)} == {4}
    shop(source, "nobody's")
    evaluate()
    assert "nobody's" not in list_steps("ada") | list_steps("bob")
    assert audit().is_clean
