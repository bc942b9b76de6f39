import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from tests.cast import make_source
from tests.samples import load_samples
from tracking.admin.mending import send_mended
from tracking.intake import open_intake
from tracking.keys import add_foreign_key
from tracking.models import AllowedOrigin, Event, Quarantined, Source
from tracking.registry import forget_registry
from tracking.sources import create_source

pytestmark = pytest.mark.django_db(transaction=True)


SHOP = {"origin": "https://shop.example"}


@pytest.fixture
def source(log: None) -> Source:
    made = make_source()
    AllowedOrigin.objects.create(source=made, origin=SHOP["origin"])
    forget_registry()
    return made


def send(path: str, body: Any, **query: str) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    address = path + "?" + "&".join(f"{name}={value}" for name, value in query.items())
    return Client().post(address, raw, content_type="text/plain")


def cart(**more: Any) -> dict[str, Any]:
    return {"client_id": "1.2", "user_id": "ada", "events": [{"name": "add_to_cart", "params": {"sku": "lamp"}}]} | more


@pytest.mark.parametrize("sample", list(load_samples("ga4*.jsonl")))
def test_every_recorded_request_is_answered_as_google_does(source: Source, sample: Any) -> None:
    query = sample["query_string"].replace("wk_test_123", source.write_key)
    query = query.replace("secret_456", source.write_key)
    send_it = Client().get if sample["method"] == "GET" else Client().post
    body = {} if sample["method"] == "GET" else {"data": sample["raw"]["text"], "content_type": "text/plain"}
    answer = send_it(f"{sample['path']}?{query}", **body, headers=SHOP)
    expected = (200, b'{"validationMessages":[]}') if sample["path"].startswith("/debug") else (204, b"")
    assert (answer.status_code, answer.content) == expected
    assert Event.objects.exists() == (expected[0] == 204)
    assert not Quarantined.objects.exists()


def test_a_server_shows_its_secret_and_a_page_the_key_that_anybody_can_see(source: Source) -> None:
    server, keys = create_source("Server")
    forget_registry()
    assert send("/mp/collect", cart(), measurement_id="G-1", api_secret=keys.secret_key).status_code == 204
    assert Event.objects.get(source_id=server.pk).context == {}
    assert send("/mp/collect", cart(), measurement_id=source.write_key).status_code == 204
    assert Event.objects.get(source_id=source.pk).context == {"$public": True}


def test_an_unknown_key_and_a_foreign_page_are_told_so(source: Source) -> None:
    answer = send("/mp/collect", cart(), measurement_id=source.write_key, api_secret="sk_nonsense")
    assert (answer.status_code, answer.json()["code"]) == (401, "unknown_key")
    assert send("/debug/mp/collect", cart(), api_secret="nonsense").status_code == 401
    foreign = Client().get(f"/g/collect?tid={source.write_key}&en=a&cid=1", headers={"origin": "https://evil.example"})
    assert (foreign.status_code, foreign.json()["code"]) == (403, "origin_not_allowed")
    assert not Event.objects.exists()


def test_clients_may_keep_the_id_that_google_gave_them(source: Source) -> None:
    add_foreign_key(source, "G-ABC123")
    forget_registry()
    assert Client().get("/g/collect?tid=G-ABC123&en=login&cid=1", headers=SHOP).status_code == 204
    assert send("/mp/collect", cart(), measurement_id="G-ABC123", api_secret="googles-own").status_code == 204
    assert set(Event.objects.values_list("source_id", "context__$public")) == {(source.pk, True)}
    assert Client().get("/g/collect?tid=G-OTHER&en=login&cid=1", headers=SHOP).json()["code"] == "unknown_key"


def test_a_secret_may_stay_out_of_the_address(source: Source) -> None:
    _, keys = create_source("Server")
    forget_registry()
    body, headers = json.dumps(cart()), {"authorization": f"Bearer {keys.secret_key}"}
    address = f"/mp/collect?measurement_id={source.write_key}"
    assert Client().post(address, body, content_type="text/plain", headers=headers).status_code == 204
    assert Event.objects.get().context == {}


def test_the_validating_address_records_nothing(source: Source) -> None:
    answer = send("/debug/mp/collect", cart(client_id=None), api_secret=source.write_key)
    (message,) = answer.json()["validationMessages"]
    assert (message["fieldPath"], message["validationCode"]) == ("client_id", "VALUE_REQUIRED")
    assert message["description"]
    assert send("/debug/mp/collect", b"rubbish", api_secret=source.write_key).json()["validationMessages"]
    assert not Event.objects.exists()
    assert not Quarantined.objects.exists()


def test_what_is_refused_can_be_mended_though_the_answer_is_empty(source: Source) -> None:
    body = cart(events=[{"name": ["add_to_cart"]}, {"name": "purchase"}])
    assert send("/mp/collect/", body, api_secret=source.write_key).status_code == 204
    assert [event.name for event in Event.objects.all()] == ["purchase"]
    kept = Quarantined.objects.get()
    assert (kept.field, kept.dialect) == ("name", "ga4")
    mended = bytes(kept.payload).replace(b'["add_to_cart"]', b'"add_to_cart"')
    assert send_mended(kept, mended, open_intake()) is None
    assert set(Event.objects.values_list("name", "user_id")) == {("purchase", "ada"), ("add_to_cart", "ada")}


def test_a_body_that_nobody_can_read_is_refused_and_not_swallowed(source: Source) -> None:
    answer = send("/mp/collect", b"rubbish", api_secret=source.write_key)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")


def test_a_repeated_request_is_stored_once_where_something_tells_it(source: Source) -> None:
    micros = int((datetime.now(UTC) - timedelta(minutes=5)).timestamp() * 1e6)
    bought = [{"name": "purchase", "params": {"transaction_id": "t1"}}]
    for _ in range(2):
        send("/mp/collect", cart(timestamp_micros=micros), api_secret=source.write_key)
        send("/mp/collect", cart(events=bought), api_secret=source.write_key)
        send("/g/collect", b"", tid=source.write_key, cid="1", _p="7", _s="3", en="scroll")
    assert sorted(Event.objects.values_list("name", flat=True)) == ["add_to_cart", "purchase", "scroll"]
    for _ in range(2):
        send("/mp/collect", cart(), api_secret=source.write_key)
    assert Event.objects.filter(name="add_to_cart").count() == 3


def test_events_that_share_an_id_are_all_stored_once(source: Source) -> None:
    names = ("page_view", "add_to_cart", "purchase")
    events = [{"name": name, "params": {"event_id": "page-7"}} for name in names]
    for _ in range(2):
        send("/mp/collect", cart(events=events), api_secret=source.write_key)
        for name in names:
            send("/g/collect", b"", **{"tid": source.write_key, "cid": "web", "en": name, "ep.event_id": "page-7"})
    for anonymous_id in ("1.2", "web"):
        stored = Event.objects.filter(anonymous_id=anonymous_id).values_list("name", flat=True)
        assert sorted(stored) == ["add_to_cart", "page_viewed", "purchase"]


def test_an_old_event_keeps_its_time(source: Source) -> None:
    happened = datetime.now(UTC).replace(microsecond=0) - timedelta(days=10)
    send("/mp/collect", cart(timestamp_micros=int(happened.timestamp() * 1e6)), api_secret=source.write_key)
    assert Event.objects.get().occurred_at == happened


def test_a_name_of_the_platform_is_not_taken_from_a_hit(source: Source) -> None:
    for name in ("$erase", "user_inactive"):
        assert send("/g/collect", b"", tid=source.write_key, cid="1", en=name).status_code == 204
    assert not Event.objects.exists()
    assert set(Quarantined.objects.values_list("code", flat=True)) == {"reserved_event"}
