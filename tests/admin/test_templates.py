"""Templates: versions, names that nobody has sent, preview, a test to oneself."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core import mail

from tests.admin.conftest import Login
from tests.cast import ADA, evaluate, make_source, report
from tests.mail_server import MailServer
from triggers.channels.address import hash_address
from triggers.models import SendingSwitch, Suppression, Template

WORDS: dict[str, Any] = {"name": "Cart", "subject": "Hello {{ user.first_name }}", "text": "", "on_missing": "drop"}
HTML = "<p>{{ event.product_id }} is still there</p>"


@pytest.fixture
def event_id(log: None) -> str:
    source = make_source()
    traits = {"first_name": "<Ada>", "email": "ada@example.com"}
    report("$identify", source=source, properties={"traits": traits})
    event = report("add_to_cart", source=source, properties={"product_id": "12345"})
    evaluate()
    return str(event.id)


def test_each_change_is_a_version_and_saving_unchanged_is_none(login: Login, event_id: str) -> None:
    client = login("Marketer")
    client.post("/admin/triggers/template/add/", WORDS | {"html": HTML})
    template = Template.objects.get(name="Cart")
    url = f"/admin/triggers/template/{template.pk}/change/"
    client.post(url, WORDS | {"html": HTML})
    assert template.versions.count() == 1
    client.post(url, WORDS | {"html": "<p>Changed</p>"})
    assert template.versions.count() == 2


def test_saving_names_the_variables_that_nobody_has_sent(login: Login, event_id: str) -> None:
    answer = login("Marketer").post(
        "/admin/triggers/template/add/", WORDS | {"html": "{{ event.produkt }}"}, follow=True
    )
    page = answer.content.decode()
    assert "`event.produkt`" in page
    assert "user.first_name" not in page
    assert Template.objects.filter(name="Cart").exists()


def test_words_that_cannot_be_read_are_refused_at_their_part(login: Login, event_id: str) -> None:
    answer = login("Marketer").post("/admin/triggers/template/add/", WORDS | {"html": "{% if %}"})
    assert answer.context["adminform"].form.errors["html"]
    assert not Template.objects.exists()


def test_the_preview_fills_in_a_person_and_an_event_and_escapes(login: Login, event_id: str) -> None:
    trial = WORDS | {"html": HTML + "{{ user.first_name }}", "person": ADA, "event_id": event_id}
    told = login("Marketer").post("/admin/triggers/template/trial/preview/", trial).json()
    assert told["subject"] == "Hello <Ada>"
    assert told["html"] == "<p>12345 is still there</p>&lt;Ada&gt;"


def test_the_preview_says_which_variable_is_missing(login: Login, event_id: str) -> None:
    trial = WORDS | {"html": "{{ user.shoe_size }}", "person": ADA, "event_id": event_id}
    told = login("Marketer").post("/admin/triggers/template/trial/preview/", trial).json()
    assert "user.shoe_size has no value here" in told["problem"]


Send = Callable[..., dict[str, str]]


@pytest.fixture
def send(login: Login, event_id: str, settings: Any) -> Send:
    """Return a function: Mara, whose address is known, sends a test to one."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    client = login("Marketer")
    User.objects.filter(username="mara").update(email="Mara@shop.example")

    def send_to(address: str, **words: str) -> dict[str, str]:
        trial = WORDS | {"html": HTML, "person": ADA, "event_id": event_id, "address": address} | words
        told: dict[str, str] = client.post("/admin/triggers/template/trial/send/", trial).json()
        return told

    return send_to


def test_a_test_is_mailed_filled_in_marked_and_logged(send: Send) -> None:
    assert send("mara@shop.example") == {"done": "Sent to mara@shop.example."}
    assert [(sent.to, sent.subject) for sent in mail.outbox] == [(["Mara@shop.example"], "[Test] Hello <Ada>")]
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.object_repr) == ("mara", "Cart")
    assert "Sent a test to mara@shop.example." in entry.change_message


def test_a_test_goes_to_nobody_but_active_staff_and_the_settings_list(send: Send, settings: Any) -> None:
    settings.TEST_RECIPIENTS = ["list@shop.example"]
    User.objects.create_user("gone", "gone@shop.example", is_staff=True, is_active=False)
    User.objects.create_user("guest", "guest@shop.example")

    for address in ("ada@example.com", "gone@shop.example", "guest@shop.example", "mara@shop.example.evil.example"):
        assert "active staff only" in send(address)["problem"]
    assert mail.outbox == []

    assert "done" in send("List@shop.example")
    assert mail.outbox[0].to == ["list@shop.example"]


def test_a_test_is_held_by_the_switch_and_by_a_suppression(send: Send) -> None:
    switch = SendingSwitch.objects.create(is_stopped=True)
    assert send("mara@shop.example") == {"problem": "All sending is stopped."}
    switch.delete()
    Suppression.objects.create(channel="email", address_hash=hash_address("email", "mara@shop.example"), reason="told")
    assert send("mara@shop.example") == {"problem": "This address must not be written to."}

    assert mail.outbox == []


def test_a_test_that_the_mail_server_refused_is_logged_too(send: Send, server: MailServer, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    server.refuse = "550 nobody of that name"

    assert "did not take it" in send("mara@shop.example", name="Not saved")["problem"]

    entry = LogEntry.objects.get()
    assert (entry.object_repr, "Tried to send a test" in entry.change_message) == ("Not saved", True)


def test_an_event_of_somebody_else_is_not_filled_in(login: Login, event_id: str) -> None:
    report("page_view", source=make_source("Other"), user_id="bob")
    evaluate()
    trial = WORDS | {"html": HTML, "person": "bob", "event_id": event_id}
    assert "problem" in login("Marketer").post("/admin/triggers/template/trial/preview/", trial).json()
