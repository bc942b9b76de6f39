"""What pages say of a person leaves room for what servers say, and what is dropped is told."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.cast import evaluate, report
from tracking.event import compute_anonymous_profile_id, compute_user_profile_id
from tracking.models import EventCount, Profile, Source
from triggers.audit.compare import audit

VICTIM = compute_user_profile_id("victim")


def identify(source: Source, *, is_public: bool = False, device: str | None = None, **traits: object) -> None:
    said = {"traits": traits}
    report("$identify", source=source, user_id="victim", anonymous_id=device, properties=said, is_public=is_public)
    evaluate()


def fill(source: Source) -> None:
    for number in range(9):
        identify(source, is_public=True, **{f"junk{number}": "x" * 30_000})


def test_a_public_key_does_not_freeze_a_person(source: Source) -> None:
    fill(source)
    identify(source, email="real@shop.example", plan="pro")

    victim = Profile.objects.get(pk=VICTIM)
    assert victim.traits | {"email": "real@shop.example", "plan": "pro"} == victim.traits
    assert victim.dropped_statements == 7
    assert sum(EventCount.objects.filter(source_id=source.pk).values_list("dropped_statements", flat=True)) == 7
    assert audit().is_clean


def test_devices_do_not_bring_more_than_fits(source: Source) -> None:
    for number in range(4):
        device, traits = f"device-{number}", {f"junk{number}": "x" * 30_000}
        said = {"traits": traits}
        report("$identify", source=source, user_id=None, anonymous_id=device, properties=said, is_public=True)
        evaluate()
        identify(source, device=device, plan="pro")

    victim = Profile.objects.get(pk=VICTIM)
    assert set(victim.traits) == {"plan", "junk0", "junk1"}
    assert victim.dropped_statements == 2
    assert sum(EventCount.objects.values_list("dropped_statements", flat=True)) == 2
    assert Profile.objects.get(pk=compute_anonymous_profile_id(source.pk, "device-3")).linked_to == VICTIM


@pytest.mark.parametrize("page", ["profile/{person}", "source/{source}"])
def test_the_admin_says_what_was_dropped(source: Source, page: str) -> None:
    fill(source)
    client = Client()
    client.force_login(User.objects.create_superuser("root"))

    shown = client.get(f"/admin/tracking/{page}/change/".format(person=VICTIM, source=source.pk)).content.decode()

    assert "7 statements about" in shown
    assert "Pages may say 64 KB of a person" in shown
