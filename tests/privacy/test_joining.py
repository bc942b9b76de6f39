"""People and devices that join while somebody is erased."""

from datetime import UTC, datetime, timedelta

import pytest

from engagement.lib.ids import compute_lane
from tests.cast import ADA, ON_CART, evaluate, make_rule, report
from tests.privacy.conftest import decide_lanes, erase, find_mentions
from tracking.erasure.ask import ask_erasure
from tracking.event import compute_anonymous_profile_id, compute_user_profile_id
from tracking.models import Erasure, Event, Profile, Source
from triggers.audit.compare import audit
from triggers.models import Activation
from triggers.worker import get_worker

pytestmark = pytest.mark.slow

ADA_ID = compute_user_profile_id(ADA)


def is_all_gone() -> bool:
    return not (Event.objects.exists() or Profile.objects.exists() or Activation.objects.exists())


def test_what_a_joined_device_does_before_it_is_told_starts_nobody_new(source: Source) -> None:
    make_rule(trigger=ON_CART)
    report("view", source=source, anonymous_id="phone")
    evaluate()
    ask_erasure(get_worker().connection, ADA_ID, "test")
    report("add_to_cart", source=source, user_id=None, anonymous_id="phone")

    evaluate()

    assert is_all_gone()


def test_a_device_that_joins_when_it_is_too_late_goes_too(source: Source) -> None:
    traits = {"traits": {"email": "ada@example.com"}}
    report("$identify", source=source, user_id=None, anonymous_id="phone", properties=traits)
    evaluate()
    ahead = datetime.now(UTC) + timedelta(hours=3)
    report("signed_in", source=source, anonymous_id="phone", timestamp=ahead, message_id="m1")
    ask_erasure(get_worker().connection, ADA_ID, "test")

    evaluate()

    assert is_all_gone()
    assert find_mentions("ada@example.com", "phone") == {}


def test_a_device_that_has_just_become_somebodys_is_erased_with_them(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    report("view", source=source, user_id=None, anonymous_id="phone")
    evaluate()
    report("signed_in", source=source, anonymous_id="phone")
    decide_lanes(monkeypatch, compute_lane(ADA_ID))
    phone = compute_anonymous_profile_id(source.pk, "phone")
    assert Profile.objects.get(pk=phone).linked_to is None

    receipt = erase(phone)

    assert receipt.completed_at is not None
    assert is_all_gone()
    assert Erasure.objects.count() == 1


def test_who_signed_in_before_a_devices_last_owner_is_not_erased_with_it(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone, bob = compute_anonymous_profile_id(source.pk, "phone"), compute_user_profile_id("bob")
    report("signed_in", source=source, user_id="eve", anonymous_id="phone")
    evaluate()
    report("signed_in", source=source, user_id="bob", anonymous_id="phone")
    report("signed_in", source=source, anonymous_id="phone")
    others = [lane for lane in range(64) if lane != compute_lane(bob)]
    for _ in range(3):
        decide_lanes(monkeypatch, *others)
    assert Profile.objects.get(pk=phone).linked_to == ADA_ID
    ask_erasure(get_worker().connection, ADA_ID, "test")
    for _ in range(3):
        decide_lanes(monkeypatch, *others)
    # Bob asks for it only when somebody has had it erased.
    ask_erasure(get_worker().connection, phone, "test")
    decide_lanes(monkeypatch, compute_lane(bob))
    evaluate()

    assert Profile.objects.filter(pk=bob).exists()
    assert Event.objects.filter(profile_id=bob, name="signed_in").exists()


def test_somebody_who_signed_in_before_a_device_was_erased_and_is_heard_of_later_still_joins_it(
    source: Source,
) -> None:
    report("view", source=source, user_id=None, anonymous_id="phone")
    evaluate()
    phone = compute_anonymous_profile_id(source.pk, "phone")
    erase(phone)

    before = datetime.now(UTC) - timedelta(minutes=5)
    report("signed_in", source=source, anonymous_id="phone", timestamp=before, message_id="m1")
    evaluate()

    assert Profile.objects.get(pk=phone).linked_to == ADA_ID


def test_who_comes_back_is_joined_as_anybody_is(source: Source) -> None:
    make_rule(trigger=ON_CART)
    report("view", source=source)
    evaluate()
    erase(ADA_ID)
    report("view", source=source, user_id="old-ada")
    report("view", source=source, user_id=None, anonymous_id="phone")
    report("view", source=source)
    evaluate()
    report("signed_in", source=source, user_id="old-ada", anonymous_id="phone")
    report("$alias", source=source, properties={"previous_id": "old-ada"})
    evaluate()

    report("add_to_cart", source=source, user_id=None, anonymous_id="phone")
    evaluate()

    phone, old = compute_anonymous_profile_id(source.pk, "phone"), compute_user_profile_id("old-ada")
    assert Profile.objects.get(pk=ADA_ID).joined.keys() >= {phone.hex, old.hex}
    assert Activation.objects.get().profile_id == ADA_ID
    assert audit().is_clean


def report_sign_in(source: Source, device: str = "phone", person: str = ADA) -> None:
    """Somebody signs in on a device that has a history, and nobody has heard of it yet."""
    report("view", source=source, user_id=None, anonymous_id=device)
    evaluate()
    traits = {"traits": {"email": f"{person}@example.com"}}
    report("$identify", source=source, user_id=person, anonymous_id=device, properties=traits)


def test_who_signed_in_on_a_device_before_its_erasure_and_is_not_heard_of_yet_goes_with_it(source: Source) -> None:
    report_sign_in(source)

    receipt = erase(compute_anonymous_profile_id(source.pk, "phone"))

    assert is_all_gone()
    assert receipt.completed_at is not None
    assert find_mentions("ada@example.com") == {}


def test_who_signs_in_on_a_device_after_its_erasure_stays(source: Source) -> None:
    report("view", source=source, user_id=None, anonymous_id="phone")
    evaluate()
    phone = compute_anonymous_profile_id(source.pk, "phone")
    ask_erasure(get_worker().connection, phone, "test")
    report("$identify", source=source, anonymous_id="phone", properties={"traits": {"plan": "gold"}})
    evaluate()

    assert not Event.objects.filter(name="view").exists()
    assert Profile.objects.get(pk=ADA_ID).traits == {"plan": "gold"}
    assert Profile.objects.get(pk=phone).linked_to == ADA_ID


def test_a_sign_in_between_two_requests_to_erase_a_device_goes_with_the_second(source: Source) -> None:
    report("view", source=source, user_id=None, anonymous_id="phone")
    evaluate()
    phone = compute_anonymous_profile_id(source.pk, "phone")
    first = ask_erasure(get_worker().connection, phone, "test")
    assert ask_erasure(get_worker().connection, phone, "test") == first
    report("$identify", source=source, anonymous_id="phone", properties={"traits": {"email": "ada@example.com"}})

    second = ask_erasure(get_worker().connection, phone, "test")
    evaluate()

    assert second != first
    assert is_all_gone()
    assert Erasure.objects.exclude(completed_at=None).count() == 2
    assert find_mentions("ada@example.com") == {}


def test_erasures_of_many_devices_do_not_wait_for_each_other_for_ever(source: Source) -> None:
    devices = [f"phone-{number}" for number in range(12)]
    for number, device in enumerate(devices):
        report_sign_in(source, device, f"person-{number}")
    for device in devices:
        ask_erasure(get_worker().connection, compute_anonymous_profile_id(source.pk, device), "test")
        report("view", source=source, user_id="grace")

    for _ in range(60):
        get_worker().evaluator.run_pass()

    assert not Erasure.objects.filter(completed_at=None).exists()
    assert Profile.objects.get().user_id == "grace"


@pytest.mark.parametrize("device", ["phone", "laptop", "tablet", "desk"])
def test_a_device_that_is_about_to_join_whom_an_erasure_names_goes_too(source: Source, device: str) -> None:
    traits = {"traits": {"email": "ada@example.com"}}
    report("$identify", source=source, user_id=None, anonymous_id=device, properties=traits)
    evaluate()
    report("signed_in", source=source, anonymous_id=device, now=datetime.now(UTC) - timedelta(seconds=1))

    erase(ADA_ID)

    assert is_all_gone()
    assert find_mentions("ada@example.com", device) == {}


def test_people_who_are_each_the_next_one_are_erased_together(source: Source) -> None:
    ids = [compute_user_profile_id(person) for person in "abc"]
    for person in "abc":
        report("view", source=source, user_id=person)
    evaluate()
    for one, other in zip(ids, ids[1:] + ids[:1], strict=True):
        Profile.objects.filter(pk=one).update(linked_to=other)
    receipt = ask_erasure(get_worker().connection, ids[0], "test")

    for _ in range(10):
        get_worker().evaluator.run_pass()

    assert is_all_gone()
    assert Erasure.objects.get(pk=str(receipt)).completed_at is not None


def test_who_turns_out_to_be_the_person_after_a_device_was_told_leaves_no_name_on_it(source: Source) -> None:
    # Which lane comes first depends on the ids.
    for number in range(12):
        eve, bob, phone = f"eve_{number}", f"bob_{number}", f"phone_{number}"
        report("view", source=source, user_id=None, anonymous_id=phone)
        report("$alias", source=source, user_id=eve, anonymous_id=phone, properties={"previous_id": bob})
        ask_erasure(get_worker().connection, compute_anonymous_profile_id(source.pk, phone), "test")
        report("view", source=source, user_id=bob, anonymous_id=phone)
    evaluate()

    people = [compute_user_profile_id(f"{name}_{number}") for number in range(12) for name in ("eve", "bob")]
    for person in people:
        ask_erasure(get_worker().connection, person, "test")
    evaluate()

    words = [f"{name}_{number}" for number in range(12) for name in ("eve", "bob")]
    assert find_mentions(*words, *map(str, people), *[one.hex for one in people]) == {}
    assert not Erasure.objects.filter(completed_at=None).exists()


def test_of_two_ids_that_an_alias_is_about_to_bring_together_both_go_where_both_are_named(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = compute_user_profile_id("old-ada")
    report("$identify", source=source, user_id="old-ada", properties={"traits": {"email": "ada@example.com"}})
    report("view", source=source)
    evaluate()
    report("$alias", source=source, properties={"previous_id": "old-ada"})
    for profile_id in (ADA_ID, old):
        ask_erasure(get_worker().connection, profile_id, "test")

    # The request to join comes to the old id's lane behind its erasure, and she who asks is gone by then.
    decide_lanes(monkeypatch, compute_lane(ADA_ID))
    evaluate()

    assert is_all_gone()
    assert find_mentions("ada@example.com", "old-ada", str(old)) == {}
    assert Erasure.objects.exclude(completed_at=None).count() == 2
    assert audit().is_clean


def test_who_asked_for_a_device_too_late_is_forgotten_by_it_too(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    for person in ("grace-hopper", ADA):
        report("view", source=source, user_id=person, anonymous_id="phone")
    # Ada's lane is faster, so the device hears of her first, though Grace was there before.
    decide_lanes(monkeypatch, compute_lane(ADA_ID))
    evaluate()
    assert Profile.objects.get(pk=compute_anonymous_profile_id(source.pk, "phone")).linked_to == ADA_ID

    erase(compute_user_profile_id("grace-hopper"))

    assert find_mentions("grace-hopper", str(compute_user_profile_id("grace-hopper"))) == {}
