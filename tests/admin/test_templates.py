"""Templates: versions, names that nobody has sent, preview, a test to oneself."""

from typing import Any

import pytest
from django.core import mail

from tests.admin.conftest import Login
from tests.cast import ADA, evaluate, make_source, report
from triggers.models import Template

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


def test_a_test_is_mailed_filled_in(login: Login, event_id: str, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    trial = WORDS | {"html": HTML, "person": "ada@example.com", "event_id": event_id, "address": "me@example.com"}
    told = login("Marketer").post("/admin/triggers/template/trial/send/", trial).json()
    assert told == {"done": "Sent to me@example.com."}
    assert [(sent.to, sent.subject) for sent in mail.outbox] == [(["me@example.com"], "Hello <Ada>")]


def test_an_event_of_somebody_else_is_not_filled_in(login: Login, event_id: str) -> None:
    report("page_view", source=make_source("Other"), user_id="bob")
    evaluate()
    trial = WORDS | {"html": HTML, "person": "bob", "event_id": event_id}
    assert "problem" in login("Marketer").post("/admin/triggers/template/trial/preview/", trial).json()
