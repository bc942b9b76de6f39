"""One person under several ids: what was anonymous joins the first known person that it is seen with."""

from typing import Any

import pytest

from tests.cast import (
    ADA,
    CART,
    ON_CART,
    deliver,
    evaluate,
    make_rule,
    make_source,
    make_template,
    pass_time,
    report,
    scan,
)
from tests.mail_server import MailServer
from tracking.event import compute_anonymous_profile_id, compute_user_profile_id
from tracking.models import Event, Profile, Source
from tracking.registry import get_registry
from triggers.audit.compare import audit
from triggers.deliver.facts import lock_person
from triggers.deliver.run import deliver_due
from triggers.models import Activation, Delivery, Timer
from triggers.worker import get_worker

NEVER_BOUGHT = {"node": "never", "event": "purchase"}


def browse(source: Source, name: str, device: str = "tab", **properties: object) -> None:
    report(name, source=source, user_id=None, anonymous_id=device, properties=properties)


def sign_in(source: Source, user_id: str = ADA, device: str = "tab") -> None:
    report("signed_in", source=source, user_id=user_id, anonymous_id=device)


def test_anonymous_history_follows_the_person_who_signs_in(source: Source) -> None:
    make_rule(trigger=ON_CART, conditions={"node": "count", "event": "visit", "operator": "ge", "value": 2})
    browse(source, "visit")
    browse(source, "visit")
    sign_in(source)
    evaluate()
    report("add_to_cart", source=source)

    evaluate()

    assert Activation.objects.get().profile_id == compute_user_profile_id(ADA)


def test_what_the_device_does_after_the_sign_in_is_decided_for_the_person(source: Source) -> None:
    make_rule(trigger=ON_CART)
    sign_in(source)
    evaluate()
    browse(source, "add_to_cart")

    evaluate()

    activation = Activation.objects.get()
    original = Event.objects.get(name="add_to_cart")
    assert (activation.profile_id, activation.event_id) == (compute_user_profile_id(ADA), original.pk)


def test_a_sign_in_in_the_middle_of_a_wait_moves_it(source: Source) -> None:
    make_rule(trigger=CART, template=make_template().pk)
    browse(source, "add_to_cart", cart_id="c1", sku="lamp")
    evaluate()
    assert Timer.objects.get().profile_id == compute_anonymous_profile_id(source.pk, "tab")
    sign_in(source)
    evaluate()

    assert Timer.objects.get().profile_id == compute_user_profile_id(ADA)
    pass_time(3700)
    assert scan() == 1
    silence = Event.objects.get(name="cart_abandonment")
    assert silence.user_id == ADA
    assert silence.properties["items"] == [{"cart_id": "c1", "sku": "lamp"}]


def test_who_buys_after_the_sign_in_gets_no_reminder_for_the_anonymous_cart(source: Source) -> None:
    make_rule(trigger=CART)
    browse(source, "add_to_cart", cart_id="c1")
    report("purchase", source=source, anonymous_id="tab", properties={"cart_id": "c1"})
    evaluate()
    pass_time(3700)

    assert scan() == 0
    assert not Event.objects.filter(name="cart_abandonment").exists()


def test_a_purchase_in_another_tab_without_the_user_id_ends_the_wait(source: Source) -> None:
    make_rule(trigger=CART)
    report("add_to_cart", source=source, anonymous_id="tab", properties={"cart_id": "c1"})
    evaluate()
    browse(source, "purchase", cart_id="c1")
    evaluate()
    pass_time(3700)

    assert scan() == 0


def test_a_second_sign_in_on_the_device_never_merges_two_known_people(source: Source) -> None:
    make_rule(trigger=ON_CART, conditions=NEVER_BOUGHT)
    sign_in(source, "ada")
    report("purchase", source=source, user_id="ada")
    evaluate()
    sign_in(source, "bob")
    evaluate()

    report("add_to_cart", source=source, user_id="bob", anonymous_id="tab")
    evaluate()

    assert Activation.objects.get().profile_id == compute_user_profile_id("bob")
    bob = Profile.objects.get(pk=compute_user_profile_id("bob"))
    assert compute_user_profile_id("ada").hex not in bob.joined


def test_after_a_second_sign_in_the_device_is_the_second_persons(source: Source) -> None:
    make_rule(trigger=ON_CART)
    sign_in(source, "ada")
    evaluate()
    sign_in(source, "bob")
    evaluate()
    browse(source, "add_to_cart")

    evaluate()

    assert Activation.objects.get().profile_id == compute_user_profile_id("bob")


def test_a_third_person_does_not_inherit_the_first_ones_history(source: Source) -> None:
    make_rule(trigger=ON_CART, conditions=NEVER_BOUGHT)
    browse(source, "purchase")
    for user_id in ("ada", "bob", "eve"):
        sign_in(source, user_id)
        evaluate()
    report("add_to_cart", source=source, user_id="eve")
    report("add_to_cart", source=source, user_id="ada")

    evaluate()

    assert [row.profile_id for row in Activation.objects.all()] == [compute_user_profile_id("eve")]


def test_a_silence_of_a_joined_profile_is_the_persons(source: Source) -> None:
    make_rule(trigger={"kind": "session_end", "after": 900})
    browse(source, "page_view")
    sign_in(source)
    evaluate()
    pass_time(1000)

    scan()

    silences = Event.objects.filter(name="session_ended")
    assert [event.user_id for event in silences] == [ADA]


def test_both_tabs_keep_the_person_awake(source: Source) -> None:
    make_rule(trigger={"kind": "session_end", "after": 900})
    sign_in(source)
    evaluate()
    pass_time(800)
    browse(source, "page_view")
    evaluate()
    pass_time(800)

    assert scan() == 0


def test_only_a_server_may_alias_two_known_people(source: Source) -> None:
    report("a", source=source, user_id="old")
    report("b", source=source, user_id="new")
    report("$alias", source=source, user_id="new", properties={"previous_id": "old"}, is_public=True)
    evaluate()
    assert Profile.objects.get(pk=compute_user_profile_id("old")).linked_to is None

    report("$alias", source=source, user_id="new", properties={"previous_id": "old"})
    evaluate()

    assert Profile.objects.get(pk=compute_user_profile_id("old")).linked_to == compute_user_profile_id("new")


def test_a_device_joins_through_an_id_that_is_somebody_elses_by_now(source: Source) -> None:
    report("view", source=source, user_id="old")
    report("view", source=source)
    evaluate()
    report("$alias", source=source, properties={"previous_id": "old"})
    evaluate()
    make_rule(trigger=ON_CART)
    report("$identify", source=source, user_id="old", anonymous_id="tab")
    evaluate()

    browse(source, "add_to_cart")
    evaluate()

    assert Activation.objects.get().profile_id == compute_user_profile_id(ADA)
    assert audit().is_clean


def test_an_alias_of_an_anonymous_id_joins_it(source: Source) -> None:
    browse(source, "a", device="phone")
    report("$alias", source=source, properties={"previous_id": "phone"}, is_public=True)

    evaluate()

    anonymous = Profile.objects.get(pk=compute_anonymous_profile_id(source.pk, "phone"))
    assert anonymous.linked_to == compute_user_profile_id(ADA)


@pytest.mark.parametrize("reentry", [{"kind": "once"}, {"kind": "after", "seconds": 3600}], ids=["once", "after"])
def test_what_both_lanes_decided_before_they_met_is_sent_once(source: Source, reentry: dict[str, Any]) -> None:
    make_rule(trigger=ON_CART, reentry=reentry, template=make_template().pk)
    browse(source, "add_to_cart")
    report("add_to_cart", source=source, anonymous_id="tab")
    evaluate()
    report("$identify", source=source, properties={"traits": {"email": "ada@example.com"}})
    evaluate()

    assert Activation.objects.count() == 2

    deliver_due(get_worker().connection, get_registry())
    reasons = sorted(Delivery.objects.values_list("reason", flat=True))
    assert "double_after_merge" in reasons


@pytest.mark.parametrize(("days", "mails"), [(1, 1), (10, 2)])
def test_not_again_within_is_over_some_day_whichever_id_it_was(
    source: Source, server: MailServer, days: int, mails: int
) -> None:
    make_rule(trigger=ON_CART, reentry={"kind": "after", "seconds": 7 * 86400}, template=make_template().pk)
    browse(source, "add_to_cart")
    report("$identify", source=source, anonymous_id="tab", properties={"traits": {"email": "ada@example.com"}})
    evaluate()
    deliver()
    pass_time(days * 86400)
    report("add_to_cart", source=source)
    evaluate()

    deliver()

    assert len(server.mails) == mails


def test_a_device_of_another_source_is_another_device(source: Source) -> None:
    other = make_source("Other")
    browse(source, "a")
    report("b", source=other, anonymous_id="tab")

    evaluate()

    assert Profile.objects.get(pk=compute_anonymous_profile_id(source.pk, "tab")).linked_to is None


def test_one_user_is_one_person_in_all_sources(source: Source) -> None:
    phone = make_source("Phone")
    make_rule(trigger=CART)
    report("add_to_cart", source=source, properties={"cart_id": "c1"})
    report("purchase", source=phone, properties={"cart_id": "c1"})
    scan()
    pass_time(3700)
    assert scan() == 0
    assert Profile.objects.count() == 1


def test_what_happens_on_a_device_after_its_owner_left_does_not_count_as_the_owners(source: Source) -> None:
    make_rule(trigger=ON_CART, reentry={"kind": "once"})
    report("view", source=source, user_id=ADA, anonymous_id="phone")
    evaluate()
    report("view", source=source, user_id="bob", anonymous_id="phone")
    evaluate()
    report("add_to_cart", source=source, user_id=None, anonymous_id="phone")
    evaluate()

    report("add_to_cart", source=source)
    evaluate()

    assert Activation.objects.count() == 2


def alias_in_a_circle(source: Source, people: str) -> None:
    """Say of each that they are the next one too, all before anybody has heard of it."""
    for person, previous in zip(people, people[1:] + people[:1], strict=True):
        report("$alias", source=source, user_id=person, properties={"previous_id": previous})


def evaluate_for_a_while() -> None:
    """Decide what is in the log, and what follows from it, but not for ever."""
    for _ in range(30):
        get_worker().evaluator.run_pass()


def list_owners(people: str) -> set[str | None]:
    """Return who is nobody else by now."""
    return set(Profile.objects.filter(user_id__in=people, linked_to=None).values_list("user_id", flat=True))


@pytest.mark.parametrize("people", ["ab", "abc", "abcdef"])
def test_aliases_that_cross_make_one_person_and_nothing_goes_round_for_ever(source: Source, people: str) -> None:
    make_rule(trigger=CART)
    make_rule("Bought", trigger={"kind": "event", "event": "purchase"})
    for person in people:
        report("add_to_cart", source=source, user_id=person, properties={"cart_id": person})
    evaluate()
    alias_in_a_circle(source, people)
    evaluate_for_a_while()
    settled = Event.objects.count()
    get_worker().evaluator.run_pass()

    assert Event.objects.count() == settled
    owner = min(people, key=lambda person: compute_user_profile_id(person).hex)
    assert list_owners(people) == {owner}
    for person in people:
        report("purchase", source=source, user_id=person, properties={"cart_id": person})
    evaluate()
    assert [row.profile_id for row in Activation.objects.all()] == [compute_user_profile_id(owner)] * len(people)
    assert not Timer.objects.exists(), "all waits are the owner's, whose purchases end them"
    assert audit().is_clean


def test_people_who_are_in_a_circle_already_get_out_of_it_by_what_they_do_next(source: Source) -> None:
    make_rule(trigger=ON_CART)
    for person in "abc":
        report("view", source=source, user_id=person)
    evaluate()
    ids = {person: compute_user_profile_id(person) for person in "abc"}
    for person, other in zip("abc", "bca", strict=True):
        Profile.objects.filter(pk=ids[person]).update(linked_to=ids[other])
    with get_worker().connection.transaction():
        assert lock_person(get_worker().connection, ids["b"]) is not None

    for person in "abc":
        report("add_to_cart", source=source, user_id=person)
    evaluate_for_a_while()

    owner = min("abc", key=lambda person: ids[person].hex)
    assert list_owners("abc") == {owner}
    assert [row.profile_id for row in Activation.objects.all()] == [ids[owner]] * 3


def test_what_a_joined_profile_did_earlier_does_not_hide_what_they_did_last(source: Source) -> None:
    make_rule(trigger={"kind": "session_end", "after": 900})
    sign_in(source)
    evaluate()
    browse(source, "visit")
    pass_time(10)
    last = report("visit", source=source)
    get_worker().evaluator.run_pass()
    pass_time(1000)
    report("visit", source=source)
    evaluate()

    ended = Event.objects.get(name="session_ended")
    assert ended.context["detector"]["armed_event"] == str(last.id)
