"""Attempts to be code, in everything that a client may write: they come back as data, and nothing else happens."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.cast import evaluate, make_template
from tracking.event import compute_user_profile_id
from tracking.given_ids import allow_ids
from tracking.models import Event, Profile
from tracking.profiles import load_person
from tracking.queries import find_events
from tracking.registry import get_registry
from tracking.sources import SourceKeys, create_source
from triggers.deliver.compose import Composed, compose
from triggers.worker import get_worker

ATTEMPTS = (
    "'; drop table event; --",
    "' or 1=1 --",
    "\\'; select pg_sleep(60); --",
    "a $1 %s %(name)s {0} {name}",
    "<script>document.title = 'taken'</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ user.email }}{% for x in (1..9) %}x{% endfor %}",
    "ada {{ 7 | times: 7 }}",
    "a\r\nBcc: eve@example.com\r\n\r\nhello",
    "a\r\nSet-Cookie: taken=1",
    "../../etc/passwd",
    "=cmd|' /C calc'!A0",
    "__proto__",
    "‮gnp.exe",
)


@pytest.fixture
def keys(log: None) -> SourceKeys:
    return create_source("Shop")[1]


@pytest.fixture
def any_id(keys: SourceKeys) -> Iterator[None]:
    """Templates that nobody filled in are no ids, unless an installation says so."""
    allow_ids(ATTEMPTS)
    yield
    allow_ids([])


def send(keys: SourceKeys, path: str, body: Any) -> Any:
    headers = {"authorization": f"Bearer {keys.secret_key}"}
    return Client().post(path, json.dumps(body), content_type="application/json", headers=headers)


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_what_is_sent_comes_back_as_it_was_sent(keys: SourceKeys, any_id: None, attempt: str) -> None:
    event = {
        "event": attempt,
        "user_id": attempt,
        "message_id": attempt,
        "properties": {attempt: attempt, "in": [{attempt: attempt}]},
        "context": {attempt: attempt},
    }
    send(keys, "/v1/identify", {"user_id": attempt, "traits": {attempt: attempt}})
    answer = send(keys, "/v1/events", event)
    evaluate()

    assert answer.status_code == 202
    assert "Set-Cookie" not in answer.headers
    headers = {"authorization": f"Bearer {keys.secret_key}"}
    asked = {"name": attempt, "user_id": attempt}
    (read,) = Client().get("/v1/events", asked, headers=headers).json()["results"]
    assert (read["event"], read["user_id"], read["message_id"]) == (attempt, attempt, attempt)
    assert read["properties"] == event["properties"]
    assert Profile.objects.get(pk=compute_user_profile_id(attempt)).traits == {attempt: attempt}
    assert Event.objects.filter(name=attempt).count() == 1


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_the_admin_shows_it_as_text(keys: SourceKeys, admin_client: Client, attempt: str) -> None:
    send(keys, "/v1/identify", {"user_id": "ada", "traits": {"name": attempt}})
    send(keys, "/v1/events", {"event": "seen", "user_id": "ada", "properties": {"text": attempt}})
    send(keys, "/v1/events", {"event": attempt, "user_id": {"bad": attempt}})
    evaluate()

    person = reverse("admin:tracking_profile_change", args=[compute_user_profile_id("ada")])
    for page in (person, reverse("admin:tracking_event_changelist"), reverse("admin:tracking_quarantined_changelist")):
        text = admin_client.get(page, follow=True).content.decode()
        assert "<script>document.title" not in text
        assert "<img src=x" not in text


def test_a_message_fills_in_a_value_and_does_not_run_it(keys: SourceKeys) -> None:
    send(keys, "/v1/identify", {"user_id": "ada", "traits": {"email": "ada@example.com"}})
    words = {"subject": "{{ event.text }}", "html": "<p>{{ event.text }}</p>", "text": "{{ event.text }}"}
    template = make_template(**words)
    send(keys, "/v1/events", {"event": "seen", "user_id": "ada", "properties": {"text": "{{ 7 | times: 7 }}<b>"}})
    evaluate()

    event = Event.objects.get(name="seen")
    connection = get_worker().connection
    logged, person = find_events(connection, [event.pk])[event.pk], load_person(connection, event.profile_id)
    assert person is not None
    made = compose(connection, template.pk, logged, person, get_registry(), datetime.now(UTC))
    assert isinstance(made, Composed)
    mail = made.message

    assert mail.subject == "{{ 7 | times: 7 }}<b>"
    assert mail.html == "<p>{{ 7 | times: 7 }}&lt;b&gt;</p>"
