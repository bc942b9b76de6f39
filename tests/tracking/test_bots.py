"""Bots are marked and never refused."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.cast import make_source
from tracking.models import Event, Source
from tracking.registry import forget_registry

pytestmark = pytest.mark.usefixtures("log")
GOOGLE = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
HEADLESS = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0 Safari/537.36"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"


@pytest.fixture
def source() -> Source:
    return make_source()


def look(source: Source, user_agent: str, **headers: str) -> Any:
    forget_registry()
    given = {"x-write-key": source.write_key, "user-agent": user_agent} | headers
    body = {"event": "looked", "user_id": "ada", "context": {"$bot": False, "page": "/"}}
    return Client().post("/track-event", body, content_type="application/json", headers=given)


@pytest.mark.parametrize(
    ("user_agent", "is_bot"),
    [
        (GOOGLE, True),
        (HEADLESS, True),
        (CHROME, False),
        (IPHONE, False),
        # Libraries of apps and servers are on the list too, and report what people do.
        ("okhttp/4.12.0", False),
        ("curl/8.5.0", False),
        ("", False),
    ],
)
def test_a_bot_is_marked_and_taken(source: Source, user_agent: str, is_bot: bool) -> None:
    assert look(source, user_agent).status_code == 202
    assert Event.objects.get().context == {"$public": True, "page": "/"} | ({"$bot": True} if is_bot else {})


def test_whoever_runs_a_pages_script_is_looked_up_whatever_it_calls_itself(source: Source) -> None:
    source.origins.create(origin="https://shop.example")
    look(source, "facebookexternalhit/1.1", origin="https://shop.example")
    assert Event.objects.get().context["$bot"] is True


def test_a_long_user_agent_costs_no_more_than_a_short_one(source: Source) -> None:
    assert look(source, "Mozilla/5.0 " + "a" * 60_000).status_code == 202


def test_an_events_page_says_that_a_bot_sent_it(source: Source, admin_client: Client) -> None:
    look(source, GOOGLE)
    page = admin_client.get(reverse("admin:tracking_event_change", args=[Event.objects.get().pk]))
    assert "a bot, by its user agent" in page.content.decode()
