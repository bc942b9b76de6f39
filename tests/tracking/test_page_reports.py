"""`/v1/events` as a page speaks to it: plain text, the key in the address, and identifies among the events."""

import json
from typing import Any

import pytest
from django.test import Client

from tests.cast import make_source
from tracking.event import LIVE
from tracking.models import AllowedOrigin, Event, Source
from tracking.registry import forget_registry

SHOP = "https://shop.example"


@pytest.fixture
def source(log: None) -> Source:
    made = make_source()
    AllowedOrigin.objects.create(source=made, origin=SHOP)
    forget_registry()
    return made


def send(body: Any, key: str = "", **headers: str) -> Any:
    path = f"/v1/events?key={key}" if key else "/v1/events"
    return Client().post(path, json.dumps(body), content_type="text/plain;charset=UTF-8", headers=headers)


def test_an_identify_in_a_batch_keeps_its_place(source: Source) -> None:
    answer = send(
        {
            "sent_at": "2026-11-25T12:00:00Z",
            "events": [
                {"event": "before", "anonymous_id": "a"},
                {"traits": {"plan": "gold"}, "user_id": "ada", "anonymous_id": "a", "context": {"$public": False}},
                {"event": "after", "user_id": "ada", "properties": {"traits": 1}},
                {"traits": {}, "event": "both", "user_id": "ada"},
                {"traits": 5, "user_id": "ada"},
            ],
        },
        origin=SHOP,
    )
    assert answer.status_code == 202
    assert [(one["outcome"], one["field"]) for one in answer.json()["results"]] == [
        ("accepted", None),
        ("accepted", None),
        ("accepted", None),
        ("rejected", "traits"),
        ("rejected", "traits"),
    ]
    said = Event.objects.filter(origin=LIVE).order_by("seq")
    assert list(said.values_list("name", "user_id", "properties")) == [
        ("before", None, {}),
        ("$identify", "ada", {"traits": {"plan": "gold"}}),
        ("after", "ada", {"traits": 1}),
    ]
    assert Event.objects.get(name="$identify").context["$public"] is True


def test_a_write_key_may_stand_in_the_address_and_a_secret_key_may_not(source: Source) -> None:
    event = {"event": "looked", "anonymous_id": "a"}
    assert send(event, source.write_key).status_code == 202
    assert Event.objects.get().context["$public"] is True
    assert send(event, "wk_wrong", origin=SHOP).json()["code"] == "unknown_key"
    assert send(event, "sk_anything").json()["code"] == "secret_key_in_url"
