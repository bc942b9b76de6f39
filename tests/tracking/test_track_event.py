"""The simplest snippet there is: `POST /track-event`."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from tracking.models import Event, Quarantined
from tracking.sources import SourceKeys, create_source

pytestmark = pytest.mark.usefixtures("log")
SHOP = "http://localhost"


@pytest.fixture
def keys(log: None) -> SourceKeys:
    return create_source("Shop", [SHOP])[1]


def send(body: Any, path: str = "/track-event", client: Any = None, **headers: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body)
    return (client or Client()).post(path, raw, content_type="application/json", headers=headers)


def test_every_other_key_is_a_property(keys: SourceKeys) -> None:
    answer = send({"event": "add_to_cart", "product_id": "12345"}, authorization=f"Bearer {keys.write_key}")

    assert answer.status_code == 202
    event = Event.objects.get()
    assert answer.json()["results"] == [
        {"index": 0, "id": str(event.pk), "outcome": "accepted", "code": None, "field": None, "message": None}
    ]
    assert (event.name, event.properties) == ("add_to_cart", {"product_id": "12345"})


def test_a_page_without_an_id_is_known_again_by_its_cookie(keys: SourceKeys) -> None:
    page = Client(headers={"host": "localhost"})

    for _ in range(2):
        send({"event": "page_view"}, client=page, origin=SHOP)

    ids = Event.objects.values_list("anonymous_id", flat=True)
    assert len(ids) == 2
    assert set(ids) == {page.cookies["ea_id"].value}
    assert page.cookies["ea_id"]["httponly"]


def test_a_retry_that_lost_its_cookie_is_the_same_person(keys: SourceKeys) -> None:
    for _ in range(2):
        send(
            {"event": "page_view", "message_id": "page-5f2a4c1e-b7d3-4e6a-9c1d-0a2b3c4d5e6f"},
            origin=SHOP,
            host="localhost",
        )

    assert Event.objects.count() == 1


@pytest.mark.parametrize("message_id", ["00000000-0000-0000-0000-000000000000", "checkout-purchase-1"])
def test_a_message_id_that_others_may_have_makes_nobody_the_same_person(keys: SourceKeys, message_id: str) -> None:
    for name in ("seen", "bought"):
        send({"event": name, "message_id": message_id}, origin=SHOP, host="localhost")

    assert Event.objects.values("anonymous_id").distinct().count() == 2


@pytest.mark.parametrize("message_id", ["undefined", "null", "00000000-0000-0000-0000-000000000000", "[object Object]"])
def test_a_message_id_that_says_nothing_takes_no_event(keys: SourceKeys, message_id: str) -> None:
    for total in (1, 2):
        send({"event": "purchase", "user_id": "ada", "total": total, "message_id": message_id}, origin=SHOP)

    assert Event.objects.count() == 2


def test_a_page_takes_nothing_from_a_server_by_its_message_id(keys: SourceKeys) -> None:
    for key in (keys.write_key, keys.secret_key):
        body = {"event": "order_paid", "user_id": "ada", "message_id": "order-1001"}
        for _ in range(2):
            send(body, authorization=f"Bearer {key}")

    assert Event.objects.filter(name="order_paid").count() == 2


def test_two_strangers_with_the_same_weak_message_id_do_not_collide(keys: SourceKeys) -> None:
    for anonymous_id in ("a", "b"):
        send({"event": "page_view", "message_id": "1", "anonymous_id": anonymous_id}, origin=SHOP)
    for _ in range(2):
        send({"event": "page_view", "message_id": "1"}, origin=SHOP, host="localhost")

    assert Event.objects.count() == 4


@pytest.mark.parametrize("more", [{}, {"timestamp": datetime.now(UTC).isoformat()}])
def test_two_events_under_one_message_id_are_both_stored_and_their_retries_once(
    keys: SourceKeys, more: dict[str, Any]
) -> None:
    told = {"message_id": "order-1001", "user_id": "u"} | more
    answers = [
        send({"event": name} | told, "/v1/events", authorization=f"Bearer {keys.write_key}").json()["results"][0]["id"]
        for name in ("checkout_started", "order_paid", "checkout_started", "order_paid")
    ]

    assert sorted(Event.objects.values_list("name", flat=True)) == ["checkout_started", "order_paid"]
    assert answers[:2] == answers[2:]


@pytest.mark.parametrize(
    ("changed", "stored"),
    [
        ({}, 1),
        ({"sent_at": (datetime.now(UTC) + timedelta(seconds=2)).isoformat()}, 1),
        ({"properties": {"attempt": 2}, "context": {"attempt": 2}}, 1),
        ({"timestamp": (datetime.now(UTC) + timedelta(seconds=1.2)).isoformat()}, 2),
        ({"timestamp": None}, 2),
        ({"message_id": "m2"}, 2),
        ({"event": "order_refunded"}, 2),
        ({"user_id": "bo"}, 2),
    ],
)
def test_a_retry_repeats_message_id_name_ids_and_timestamp(
    keys: SourceKeys, changed: dict[str, Any], stored: int
) -> None:
    told = {"event": "order_paid", "message_id": "m1", "user_id": "ada", "timestamp": datetime.now(UTC).isoformat()}
    for body in (told, told | changed):
        assert send(body, "/v1/events", authorization=f"Bearer {keys.secret_key}").status_code == 202

    assert Event.objects.count() == stored


@pytest.mark.parametrize("cookie", ['"\\000x"', "a b", "é", "x" * 65])
def test_a_cookie_that_is_none_of_ours_is_replaced(keys: SourceKeys, cookie: str) -> None:
    answer = send({"event": "page_view"}, origin=SHOP, host="localhost", cookie=f"ea_id={cookie}")

    assert answer.status_code == 202
    assert answer.cookies["ea_id"].value == Event.objects.get().anonymous_id


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_time_at_the_end_of_all_times_fails_alone(keys: SourceKeys, moment: str) -> None:
    now = datetime.now(UTC)
    for hours in (-1, 1):
        sent_at = (now + timedelta(hours=hours)).isoformat()
        events = [{"event": "bad", "user_id": "ada", "timestamp": moment}, {"event": f"good {hours}", "user_id": "ada"}]
        body = {"events": events, "sent_at": sent_at}
        answer = send(body, "/v1/events", authorization=f"Bearer {keys.write_key}")
        codes = [one["code"] for one in answer.json()["results"]]
        assert codes == ["timestamp_out_of_range", None]
    assert Event.objects.count() == 2


def test_an_alias_names_who_it_was(keys: SourceKeys) -> None:
    for previous_id in (None, ""):
        body = {"previous_id": previous_id, "user_id": "ada"}
        answer = send(body, "/v1/alias", authorization=f"Bearer {keys.secret_key}")
        assert answer.json()["results"][0]["field"] == "previous_id"
    assert not Event.objects.exists()


def test_a_cross_origin_event_without_an_id_is_marked_as_without_identity(keys: SourceKeys) -> None:
    answer = send({"event": "page_view"}, origin=SHOP, host="127.0.0.1")

    assert "ea_id" not in answer.cookies
    assert Event.objects.get().context["$without_identity"] is True


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "key_required"),
        ({"authorization": "Bearer wk_wrong"}, 401, "unknown_key"),
        ({"x-write-key": "wk_wrong"}, 401, "unknown_key"),
        ({"origin": "http://evil.example"}, 403, "origin_not_allowed"),
    ],
)
def test_a_stranger_is_refused(keys: SourceKeys, headers: dict[str, str], status: int, code: str) -> None:
    answer = send({"event": "a"}, **headers)

    assert answer.status_code == status
    assert answer.json()["code"] == code
    assert not Event.objects.exists()


@pytest.mark.parametrize("path", ["/track-event", "/v1/events", "/v1/batch", "/hooks/1/shop", "/v1/profiles/ada"])
def test_another_method_is_refused_with_a_code_too(keys: SourceKeys, path: str) -> None:
    answer = Client().put(path, headers={"authorization": f"Bearer {keys.secret_key}"})

    assert answer.status_code == 405
    assert answer.json() == {"code": "method_not_allowed", "field": None, "message": 'Method "PUT" not allowed.'}


def test_a_write_key_on_a_foreign_page_is_refused(keys: SourceKeys) -> None:
    answer = send({"event": "a"}, origin="http://evil.example", authorization=f"Bearer {keys.write_key}")

    assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")


def test_a_preflight_is_answered_for_allowed_origins_only(keys: SourceKeys) -> None:
    known = Client().options("/track-event", headers={"origin": SHOP})
    foreign = Client().options("/track-event", headers={"origin": "http://evil.example"})

    assert (known.status_code, known["Access-Control-Allow-Origin"]) == (204, SHOP)
    assert foreign.status_code == 403
    assert "Access-Control-Allow-Origin" not in foreign


@pytest.mark.parametrize("name", ["session_ended", "user_inactive", "cart_abandonment"])
def test_a_page_may_not_forge_a_silence(keys: SourceKeys, name: str) -> None:
    answer = send({"event": name, "user_id": "ada"}, origin=SHOP)

    assert answer.status_code == 403
    assert answer.json()["results"][0]["code"] == "reserved_event"
    assert not Event.objects.exists()


def test_a_server_may_report_an_abandonment_that_it_found_itself(keys: SourceKeys) -> None:
    answer = send({"event": "cart_abandonment", "user_id": "ada"}, authorization=f"Bearer {keys.secret_key}")

    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid_json"),
        (b"[]", 400, "invalid_json"),
        (b'"\xff"', 400, "invalid_json"),
        (b"x" * 1_000_001, 413, "body_too_large"),
        (b'{"a":' * 100_000, 400, "too_deep"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_whole(keys: SourceKeys, body: bytes, status: int, code: str) -> None:
    answer = send(body, authorization=f"Bearer {keys.write_key}")

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def deep(levels: int) -> Any:
    return {"a": deep(levels - 1)} if levels else 1


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"event": ""}, "invalid_name", "event"),
        ({"event": "a" * 201}, "invalid_name", "event"),
        ({"event": 5}, "invalid_field", "event"),
        ({}, "invalid_field", "event"),
        ({"event": "a", "user_id": "u" * 256}, "invalid_id", "user_id"),
        ({"event": "a", "timestamp": "2026-01-01T00:00:00"}, "naive_timestamp", "timestamp"),
        ({"event": "a", "timestamp": "2001-01-01T00:00:00Z"}, "timestamp_out_of_range", "timestamp"),
        ({"event": "a", "x": "\x00"}, "nul_character", "properties.x"),
        ({"event": "a", "x": deep(17)}, "too_deep", None),
        ({"event": "a"} | {f"p{n}": 1 for n in range(256)}, "too_many_properties", "properties"),
        ({"event": "a", "x": "y" * 33_000}, "event_too_large", None),
        ({"event": "$identify"}, "reserved_event", "event"),
    ],
)
def test_bad_input_gets_a_code_and_a_field_and_is_kept(
    keys: SourceKeys, body: Any, code: str, field: str | None
) -> None:
    answer = send({"anonymous_id": "anna"} | body, authorization=f"Bearer {keys.write_key}")

    result = answer.json()["results"][0]
    assert (result["outcome"], result["code"]) == ("rejected", code)
    assert field is None or result["field"] == field
    assert Quarantined.objects.get().code == code
    assert not Event.objects.exists()


def test_what_is_kept_of_refused_items_is_bounded_and_takes_nothing_from_the_others(
    keys: SourceKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracking.quarantine.MAX_PER_HOUR", 3)
    large = {"event": "a", "user_id": "ada", "properties": {"text": "x" * 40_000}}
    body = {"events": [large, *[{"event": "", "user_id": "ada"}] * 6, {"event": "fine", "user_id": "ada"}]}

    answer = send(body, "/v1/events", authorization=f"Bearer {keys.secret_key}")

    outcomes = [result["outcome"] for result in answer.json()["results"]]
    assert outcomes == ["rejected"] * 7 + ["accepted"]
    assert Quarantined.objects.count() == 3
    assert max(len(bytes(item.payload)) for item in Quarantined.objects.all()) == 32 * 1024
    assert Event.objects.get().name == "fine"


def test_what_is_nested_too_deep_fails_alone_and_is_kept_as_it_came(keys: SourceKeys) -> None:
    deep = '{"event":"a","user_id":"ada","properties":{"p":' + "[" * 20 + "]" * 20 + "}}"
    body = f'{{"events":[{{"event":"fine","user_id":"ada"}},{deep}]}}'.encode()

    answer = send(body, "/v1/events", authorization=f"Bearer {keys.write_key}")

    assert [result["code"] for result in answer.json()["results"]] == [None, "too_deep"]
    assert bytes(Quarantined.objects.get().payload) == deep.encode()


def test_what_is_refused_for_a_name_that_cannot_be_stored_is_kept_all_the_same(keys: SourceKeys) -> None:
    body = b'{"user_id": "ada", "\\u0000": 1}'

    answer = send(body, "/v1/identify", authorization=f"Bearer {keys.write_key}")

    assert answer.status_code == 400
    assert bytes(Quarantined.objects.get().payload) == body
