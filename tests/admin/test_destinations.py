"""Destinations in the admin: made, tried, switched, and what the pages say of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from threading import Thread
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from standardwebhooks.webhooks import Webhook as Verifier

from tests.admin.conftest import Login
from tests.cast import evaluate, make_rule, make_source, pass_time, report
from tests.forward.conftest import forward
from tests.other_side import OtherSide, Say
from tracking.models import EventType, LaneCursor
from triggers.admin import destination_form
from triggers.forward.secrets import open_kind, read_secrets, write_secrets
from triggers.forward.switch import pause
from triggers.models import CopyCount, Destination, DestinationProgress, RefusedCopy

PAGE = "/admin/triggers/destination/"
COPIED = {"events": "all", "activations": "none", "other_names": "", "traits": ""}


@pytest.fixture
def other_side(log: None, settings: LazySettings) -> Iterator[OtherSide]:
    settings.OUTBOUND_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    server = OtherSide()
    yield server
    server.stop()


def make_webhook(client: Client, other_side: OtherSide, **fields: Any) -> tuple[Destination, str]:
    form = {"name": "Warehouse", "url": other_side.url + "/hook", "per_request": "1", "signing_secret": ""}
    answer = client.post(f"{PAGE}add/?kind=webhook", form | COPIED | fields)
    assert answer.status_code == 200, "the page with the secret"
    return Destination.objects.get(), answer.context["secret"]


def read(client: Client, destination: Destination) -> str:
    return client.get(f"{PAGE}{destination.pk}/change/").content.decode()


def switch(client: Client, destination: Destination, to: str) -> None:
    client.post(f"{PAGE}{destination.pk}/switch/", {"to": to})
    destination.refresh_from_db()


def test_a_webhook_is_made_tried_and_switched_on_and_its_secret_shown_once(login: Login, other_side: OtherSide) -> None:
    client, source = login("Developer"), make_source()
    destination, secret = make_webhook(client, other_side)
    assert secret not in read(client, destination)
    assert destination.state == "off"

    page = client.post(f"{PAGE}{destination.pk}/test/", follow=True).content.decode()
    assert "The test event was taken. It answered 200." in page
    assert Verifier(secret).verify(other_side.taken[0].body, other_side.taken[0].headers)
    other_side.refuse(403)
    page = client.post(f"{PAGE}{destination.pk}/test/", follow=True).content.decode()
    assert "The test event was not taken. It answered 403." in page

    other_side.recover()
    switch(client, destination, "on")
    report("visit", source=source)
    evaluate()
    forward()
    assert [request.json["data"]["name"] for request in other_side.taken] == ["test_event", "visit"]


def test_saving_keeps_a_secret_that_was_left_empty_and_never_shows_it(login: Login, other_side: OtherSide) -> None:
    client = login("Developer")
    form = {"name": "Mix", "project_token": "tok-1", "endpoint": other_side.url} | COPIED
    client.post(f"{PAGE}add/?kind=mixpanel", form)
    destination = Destination.objects.get()
    assert read_secrets(destination)["project_token"] == "tok-1"
    client.post(f"{PAGE}{destination.pk}/change/", form | {"name": "Renamed", "project_token": "", "project_id": "7"})
    destination.refresh_from_db()
    assert (destination.name, destination.settings["project_id"]) == ("Renamed", "7")
    assert read_secrets(destination)["project_token"] == "tok-1"
    assert "tok-1" not in read(client, destination)


@pytest.mark.parametrize(
    ("endpoint", "is_kept"),
    [
        ("https://www.google-analytics.com", True),
        ("https://WWW.google-analytics.com:443/", True),
        ("https://evil.example", False),
        ("http://www.google-analytics.com", False),
        ("https://www.google-analytics.com:8443", False),
        ("https://www.google-analytics.com.evil.example", False),
    ],
)
def test_a_secret_is_kept_for_no_other_host(login: Login, other_side: OtherSide, endpoint: str, is_kept: bool) -> None:
    client = login("Developer")
    form = {"name": "G", "measurement_id": "G-1", "endpoint": "https://www.google-analytics.com"} | COPIED
    client.post(f"{PAGE}add/?kind=ga4", form | {"api_secret": "sesame"})
    destination = Destination.objects.get()
    moved = form | {"endpoint": endpoint, "api_secret": ""}
    page = client.post(f"{PAGE}{destination.pk}/change/", moved, follow=True).content.decode()
    destination.refresh_from_db()
    assert ("enter this again" in page) is not is_kept
    assert (destination.settings["endpoint"] == endpoint) is is_kept
    client.post(f"{PAGE}{destination.pk}/change/", moved | {"api_secret": "anew"})
    destination.refresh_from_db()
    assert destination.settings["endpoint"] == endpoint
    assert read_secrets(destination) == {"api_secret": "anew"}


def test_a_new_signing_secret_replaces_the_old_one(login: Login, other_side: OtherSide) -> None:
    client = login("Developer")
    destination, first = make_webhook(client, other_side)
    form = {"name": "Warehouse", "url": other_side.url, "per_request": "5", "makes_secret": "on"} | COPIED
    answer = client.post(f"{PAGE}{destination.pk}/change/", form)
    destination.refresh_from_db()
    assert answer.context["secret"] != first
    assert "no-store" in answer["Cache-Control"]
    assert read_secrets(destination) == {"signing_secret": answer.context["secret"]}
    assert open_kind(destination).per_request == 5  # type: ignore[attr-defined]


def test_saving_does_not_undo_a_pause_that_came_meanwhile(
    login: Login, other_side: OtherSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = login("Developer")
    destination, _ = make_webhook(client, other_side)
    switch(client, destination, "on")

    # It waits for the saving, which has locked the destination.
    pausing = Thread(target=pause, args=[destination])

    def pause_meanwhile(saved: Destination, secrets: dict[str, str]) -> None:
        pausing.start()
        write_secrets(saved, secrets)

    monkeypatch.setattr(destination_form, "write_secrets", pause_meanwhile)
    form = {"name": "Renamed", "url": other_side.url, "per_request": "1"} | COPIED
    client.post(f"{PAGE}{destination.pk}/change/", form)
    pausing.join(timeout=30)
    destination.refresh_from_db()
    assert (destination.name, destination.state) == ("Renamed", "paused")


@pytest.mark.parametrize(
    ("kind", "fields", "error"),
    [
        ("webhook", {"url": "ftp://example.com"}, "begins with https://"),
        ("webhook", {"url": "https://me:secret@example.com/"}, "no user name"),
        ("webhook", {"url": "https://example.com/", "signing_secret": "abc"}, "whsec_"),
        ("webhook", {"url": "https://example.com/", "per_request": "500"}, "less than or equal to 100"),
        ("webhook", {"url": "https://example.com/", "events": "some"}, "at least one event"),
        ("webhook", {"url": "https://example.com/", "activations": "some"}, "at least one rule"),
        ("ga4", {"measurement_id": "G-1", "endpoint": "https://www.google-analytics.com"}, "is required"),
        ("mixpanel", {"project_token": "t", "project_id": "x", "endpoint": "https://api.mixpanel.com"}, "valid value"),
    ],
)
def test_what_cannot_work_is_refused_with_a_reason(
    login: Login, log: None, kind: str, fields: dict[str, str], error: str
) -> None:
    form = {"name": "X", "per_request": "1"} | COPIED | fields
    page = login("Developer").post(f"{PAGE}add/?kind={kind}", form).content.decode()
    assert error in page
    assert not Destination.objects.exists()


def test_plain_http_is_refused_where_no_network_is_allowed(login: Login, log: None, settings: LazySettings) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = []
    form = {"name": "X", "per_request": "1", "url": "http://example.com/"} | COPIED
    page = login("Developer").post(f"{PAGE}add/?kind=webhook", form).content.decode()
    assert "Use https://" in page


def test_events_and_rules_are_chosen_by_name(login: Login, other_side: OtherSide) -> None:
    client, rule = login("Developer"), make_rule("Bought", trigger={"kind": "event", "event": "purchase"})
    EventType.objects.get_or_create(name="purchase")
    destination, _ = make_webhook(
        client,
        other_side,
        events="some",
        event_names=["purchase"],
        other_names="refund, not_yet",
        activations="some",
        rule_ids=[str(rule.pk)],
        traits="plan,\n country",
    )
    assert destination.event_names == ["purchase", "refund", "not_yet"]
    assert destination.rule_ids == [rule.pk]
    assert destination.traits == ["plan", "country"]
    page = read(client, destination)
    assert "<code>refund</code>" in page
    assert "the activations of “Bought”" in page
    assert "plan, country" in page


def test_the_list_and_the_page_say_how_it_goes(login: Login, other_side: OtherSide) -> None:
    client, source = login("Developer"), make_source()
    destination, _ = make_webhook(client, other_side)
    switch(client, destination, "on")
    report("visit", source=source)
    evaluate()
    forward()
    page = client.get(PAGE).content.decode()
    assert "keeps up" in page
    assert "1 sent" in page

    other_side.refuse(503)
    for _ in range(3):
        report("visit", source=source)
    evaluate()
    assert "behind" not in client.get(PAGE).content.decode()
    pass_time(7200)
    assert "behind" in client.get(PAGE).content.decode()
    forward()
    for page in (client.get(PAGE).content.decode(), read(client, destination)):
        assert ">failing</span>" in page
        assert "It answered 503." in page
        assert "3 events, the oldest for 2 hours" in page
    assert "Nothing is lost" in read(client, destination)

    switch(client, destination, "pause")
    assert "paused" in client.get(PAGE).content.decode()
    switch(client, destination, "off")
    assert "It is off" in read(client, destination)


def test_the_page_tells_of_one_thing_that_is_not_taken_while_the_rest_is(login: Login, other_side: OtherSide) -> None:
    client, source = login("Developer"), make_source()
    destination, _ = make_webhook(client, other_side)
    switch(client, destination, "on")
    other_side.answer = lambda request: Say(status=500) if b"poison" in request.body else Say()
    report("poison", source=source)
    report("visit", source=source, user_id="grace")
    evaluate()
    forward()
    page = read(client, destination)
    assert "Something is not taken, while the rest is." in page
    assert "It answered 500." in page
    assert "after 10 tries" in page
    assert "The other side does not take it" not in page
    assert ">holds some</span>" in page
    assert ">holds some</span>" in client.get(PAGE).content.decode()


def test_what_was_refused_for_good_is_listed_with_its_reason(login: Login, other_side: OtherSide) -> None:
    client, source = login("Developer"), make_source()
    destination, _ = make_webhook(client, other_side)
    switch(client, destination, "on")
    event = report("visit", source=source)
    evaluate()
    other_side.refuse(422)
    forward()
    page = read(client, destination)
    assert str(event.id) in page
    assert "It answered 422." in page
    assert "1 refused for good" in page


def test_the_answer_of_another_system_is_shown_as_text(login: Login, log: None) -> None:
    client = login("Developer")
    destination = Destination.objects.create(name="W", kind="webhook", state="on")
    now = datetime.now(UTC)
    RefusedCopy.objects.create(
        destination=destination,
        copy_id="00000000-0000-0000-0000-000000000001",
        lane=1,
        name="<b>x</b>",
        reason="<script>alert(1)</script>",
        refused_at=now,
    )
    page = read(client, destination)
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<b>x</b>" not in page


def test_the_list_asks_no_more_of_the_database_for_more_destinations(
    login: Login, log: None, django_assert_max_num_queries: Any
) -> None:
    client = login("Developer")
    for number in range(12):
        destination = Destination.objects.create(name=f"W{number}", kind="webhook")
        CopyCount.objects.create(
            destination=destination, hour=datetime.now(UTC) - timedelta(hours=1), sent=number, refused=0
        )
    client.get(PAGE)
    with django_assert_max_num_queries(12):
        client.get(PAGE)


@pytest.mark.parametrize("to", ["pause", "resume"])
def test_a_page_from_before_it_was_switched_off_promises_nothing_that_is_not_so(
    login: Login, other_side: OtherSide, to: str
) -> None:
    client = login("Developer")
    destination, _ = make_webhook(client, other_side)
    switch(client, destination, "on")
    switch(client, destination, "off")

    answer = client.post(f"{PAGE}{destination.pk}/switch/", {"to": to}, follow=True).content.decode()

    destination.refresh_from_db()
    assert destination.state == "off"
    assert "was switched off meanwhile: it has no place in the log" in answer
    assert not LaneCursor.objects.exclude(consumer="evaluator").exists()


def test_deleting_a_destination_forgets_its_place_in_the_log(login: Login, other_side: OtherSide) -> None:
    client = login("Developer")
    destination, _ = make_webhook(client, other_side)
    switch(client, destination, "on")
    evaluate()
    assert LaneCursor.objects.exclude(consumer="evaluator").count() == 64
    client.post(f"{PAGE}{destination.pk}/delete/", {"post": "yes"})
    assert not Destination.objects.exists()
    assert not LaneCursor.objects.exclude(consumer="evaluator").exists()


def test_the_dashboard_tells_of_a_destination_that_has_taken_nothing_for_minutes(login: Login, log: None) -> None:
    client = login("Marketer")
    destination = Destination.objects.create(name="Warehouse", kind="webhook", state="on")
    progress = DestinationProgress.objects.create(destination=destination, failures=1, failing_since=datetime.now(UTC))
    assert "takes no copies" not in client.get("/admin/").content.decode()

    progress.failing_since = datetime.now(UTC) - timedelta(minutes=6)
    progress.save()

    assert "Warehouse takes no copies" in client.get("/admin/").content.decode()
    Destination.objects.update(state="off")
    assert "takes no copies" not in client.get("/admin/").content.decode()
