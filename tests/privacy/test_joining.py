"""People and devices that join while somebody is erased."""

from datetime import UTC, datetime, timedelta

import pytest

from engagement.lib.ids import compute_lane
from tests.cast import ADA, ON_CART, evaluate, make_rule, report
from tests.privacy.conftest import erase, find_mentions
from tracking.erasure.ask import ask_erasure
from tracking.event import compute_anonymous_profile_id, compute_user_profile_id
from tracking.models import Erasure, Event, Profile, Source
from triggers.audit.compare import audit
from triggers.evaluate import run as evaluate_run
from triggers.models import Activation
from triggers.worker import get_worker

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
    with monkeypatch.context() as patch:
        patch.setattr(evaluate_run, "find_lagging_lanes", lambda *_: [compute_lane(ADA_ID)])
        get_worker().evaluator.run_pass()
    phone = compute_anonymous_profile_id(source.pk, "phone")
    assert Profile.objects.get(pk=phone).linked_to is None

    receipt = erase(phone)

    assert receipt.completed_at is not None
    assert is_all_gone()
    assert Erasure.objects.count() == 1


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
