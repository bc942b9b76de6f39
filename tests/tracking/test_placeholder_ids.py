"""Ids that stand for nobody join nobody, whatever a client speaks."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from tests.cast import CART, deliver, evaluate, make_rule, make_template, pass_time, scan
from tests.mail_server import MailServer
from tests.tracking.hooks.senders import make_hook
from tests.tracking.hooks.senders import send as send_hook
from tests.tracking.test_import import load
from tracking.given_ids import MARK
from tracking.models import Event, EventCount, Profile, Quarantined, Source

JUNK = ["undefined", "null", "NaN", "[object Object]", "0", " ", "{{user_id}}"]
SNIPPET = "/track-event"


def post(source: Source, path: str, body: Any, **query: str) -> Any:
    headers = {"authorization": f"Bearer {source.write_key}"}
    address = f"{path}?{urlencode(query)}" if query else path
    return Client().post(address, json.dumps(body), content_type="application/json", headers=headers)


def native(source: Source, user_id: str, device: str | None) -> None:
    post(source, "/v1/events", {"event": "add_to_cart", "user_id": user_id, "anonymous_id": device})


def segment(source: Source, user_id: str, device: str | None) -> None:
    post(source, "/v1/track", {"type": "track", "event": "add_to_cart", "userId": user_id, "anonymousId": device})


def mixpanel(source: Source, user_id: str, device: str | None) -> None:
    ids = {"token": source.write_key, "distinct_id": user_id, "$device_id": device}
    post(source, "/track", [{"event": "add_to_cart", "properties": ids}])


def ga4(source: Source, user_id: str, device: str | None) -> None:
    post(source, "/mp/collect", {"client_id": device, "user_id": user_id, "events": [{"name": "add_to_cart"}]})


def ga4_web(source: Source, user_id: str, device: str | None) -> None:
    given = {"cid": device} if device else {}
    post(source, "/g/collect", {}, tid=source.write_key, en="add_to_cart", uid=user_id, **given)


def posthog(source: Source, user_id: str, device: str | None) -> None:
    event = {"event": "add_to_cart", "distinct_id": user_id, "properties": {"$device_id": device}}
    post(source, "/batch/", {"api_key": source.write_key, "batch": [event]})


DIALECTS = [native, segment, mixpanel, ga4, ga4_web, posthog]


@pytest.mark.parametrize("say", DIALECTS)
@pytest.mark.parametrize("junk", JUNK)
def test_an_event_is_kept_for_the_device_and_nobody_is_joined(
    source: Source, say: Callable[[Source, str, str | None], None], junk: str
) -> None:
    for device in ("dev-a", "dev-b"):
        say(source, junk, device)
    evaluate()

    assert sorted(Event.objects.filter(name="add_to_cart").values_list("user_id", "anonymous_id")) == [
        (None, "dev-a"),
        (None, "dev-b"),
    ]
    assert Profile.objects.filter(linked_to=None, user_id=None).count() == Profile.objects.count() == 2
    assert all(event.context[MARK] == {"user_id": junk} for event in Event.objects.filter(name="add_to_cart"))
    assert sum(EventCount.objects.values_list("dropped_ids", flat=True)) == 2


@pytest.mark.parametrize("say", DIALECTS)
def test_an_event_that_names_nobody_else_is_rejected_with_a_code(
    source: Source, say: Callable[[Source, str, str | None], None]
) -> None:
    say(source, "undefined", None)

    assert not Event.objects.exists()
    assert Quarantined.objects.get().code == "placeholder_id"


def test_two_strangers_with_a_junk_user_id_are_mailed_their_own_carts(source: Source, server: MailServer) -> None:
    make_rule(trigger=CART, template=make_template().pk)
    for device, user_id in (("dev-a", "undefined"), ("dev-b", "undefined"), ("dev-b", "bo")):
        if user_id != "bo":
            cart = {"cart_id": f"c-{device}"}
            post(source, "/v1/events", {"event": "add_to_cart", "anonymous_id": device, "properties": cart})
        traits = {"email": f"{user_id}.{device}@shop.example"}
        post(source, "/v1/identify", {"user_id": user_id, "anonymous_id": device, "traits": traits})
    evaluate()
    pass_time(2 * 3600)
    scan()
    pass_time(60)
    deliver()

    assert not Profile.objects.filter(user_id="undefined").exists()
    receivers = sorted(mail["To"] for mail in server.mails)
    assert receivers == ["bo.dev-b@shop.example", "undefined.dev-a@shop.example"]


@pytest.mark.parametrize("ids", [{"previous_id": "undefined", "user_id": "ada"}, {"previous_id": "d", "user_id": "0"}])
def test_an_alias_of_nobody_is_rejected(source: Source, ids: dict[str, str]) -> None:
    answer = post(source, "/v1/alias", ids)

    assert answer.json()["results"][0]["code"] == "placeholder_id"


def test_a_page_with_a_junk_user_id_is_known_by_its_cookie(source: Source) -> None:
    for ids in ({"user_id": "undefined"}, {"user_id": ""}, {"user_id": "null", "anonymous_id": "null"}):
        assert post(source, SNIPPET, {"event": "page_view"} | ids).status_code == 202

    assert len(set(Event.objects.values_list("anonymous_id", flat=True))) == 3


def test_imported_ids_meet_the_same_check(source: Source, tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    told = {"event": "order", "timestamp": "2026-11-01T10:00:00Z"}
    ids: list[Any] = ["null", 0, True, 12.0, ["ada"], {"id": "ada"}, "ada", 7]
    rows = [told | {"user_id": one, "message_id": str(number)} for number, one in enumerate(ids)]
    rows.append(told | {"user_id": "NaN", "anonymous_id": "dev-a"})
    path.write_text("\n".join(json.dumps(row) for row in rows))

    assert "3 events imported, 6 rows refused" in load(path)

    assert sorted(Event.objects.values_list("user_id", "anonymous_id"), key=str) == [
        ("7", None),
        ("ada", None),
        (None, "dev-a"),
    ]
    refused = (tmp_path / "history.jsonl.refused.jsonl").read_text().splitlines()
    assert [json.loads(line)["code"] for line in refused] == ["placeholder_id"] * 2 + ["invalid_field"] * 4


def test_a_guests_webhook_belongs_to_their_address_or_is_held(source: Source) -> None:
    order = {"customer_id": 0, "billing": {"email": "guest@shop.example"}}
    places = {"event": "order_paid", "user_id": "$.customer_id", "email": "$.billing.email", "message_id": ""}
    by_address = make_hook(source, "by_address", mapping=places | {"email_as_user_id": True})
    by_id = make_hook(source, "by_id", mapping=places | {"email_as_user_id": False})

    assert send_hook(by_address, order).json()["outcome"] == "accepted"
    assert send_hook(by_id, order).json()["code"] == "placeholder_id"

    assert set(Event.objects.values_list("user_id", flat=True)) == {"guest@shop.example"}
    assert Quarantined.objects.get().is_held
