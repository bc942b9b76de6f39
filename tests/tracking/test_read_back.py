"""Reading back with the secret key, as an app's own tests would."""

import json
from typing import Any

import pytest
from django.test import Client

from tests.cast import evaluate, make_rule, make_template
from tracking.sources import SourceKeys, create_source

pytestmark = pytest.mark.usefixtures("log")


@pytest.fixture
def keys(log: None) -> SourceKeys:
    return create_source("Shop")[1]


def get(path: str, keys: SourceKeys, **query: Any) -> Any:
    answer = Client().get(path, query, headers={"authorization": f"Bearer {keys.secret_key}"})
    return answer.status_code, answer.json()


def post(keys: SourceKeys, body: Any, path: str = "/v1/events") -> Any:
    headers = {"authorization": f"Bearer {keys.secret_key}"}
    answer = Client().post(path, json.dumps(body), content_type="application/json", headers=headers)
    return answer.status_code, answer.json()


def test_a_source_reads_its_own_log_page_by_page(keys: SourceKeys) -> None:
    events = [{"event": "a", "user_id": f"u{n}", "properties": {"n": n}, "message_id": f"m{n}"} for n in range(5)]
    post(keys, {"events": events})
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    pages = 0
    while True:
        status, page = get("/v1/events", keys, **query)
        seen += [item["message_id"] for item in page["results"]]
        pages += 1
        if page["next"] is None:
            break
        query["cursor"] = page["next"].partition("cursor=")[2].partition("&")[0]

    assert (status, pages, sorted(seen)) == (200, 3, [f"m{n}" for n in range(5)])


def test_a_source_does_not_read_anothers_log(keys: SourceKeys) -> None:
    other = create_source("Other")[1]
    post(other, {"event": "a", "user_id": "ada"})

    assert get("/v1/events", keys)[1]["results"] == []


def test_filters_by_name_and_user(keys: SourceKeys) -> None:
    post(keys, {"events": [{"event": "a", "user_id": "ada"}, {"event": "b", "user_id": "bob"}]})

    assert [item["event"] for item in get("/v1/events", keys, name="a")[1]["results"]] == ["a"]
    assert [item["event"] for item in get("/v1/events", keys, user_id="bob")[1]["results"]] == ["b"]


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ({"limit": 0}, "invalid_limit", "limit"),
        ({"limit": "x"}, "invalid_limit", "limit"),
        ({"limit": "9" * 5_000}, "invalid_limit", "limit"),
        ({"name": "a\0"}, "nul_character", "name"),
        ({"cursor": "?"}, "invalid_cursor", "cursor"),
    ],
)
def test_a_wrong_parameter_is_named(keys: SourceKeys, query: dict[str, Any], code: str, field: str) -> None:
    status, body = get("/v1/events", keys, **query)

    assert (status, body["code"], body["field"]) == (400, code, field)


def test_a_write_key_reads_nothing(keys: SourceKeys) -> None:
    for path in ("/v1/events", "/v1/activations", "/v1/deliveries", "/v1/profiles/ada"):
        with_write_key = Client().get(path, headers={"authorization": f"Bearer {keys.write_key}"})
        without = Client().get(path)

        assert (with_write_key.status_code, with_write_key.json()["code"]) == (401, "unknown_key")
        assert (without.status_code, without.json()["code"]) == (401, "key_required")


def test_a_person_is_read_with_the_events_of_all_their_ids(keys: SourceKeys) -> None:
    post(keys, {"event": "visit", "anonymous_id": "tab"})
    post(keys, {"user_id": "ada", "anonymous_id": "tab", "traits": {"plan": "pro"}}, "/v1/identify")
    evaluate()

    assert get("/v1/profiles/ada", keys)[1]["traits"] == {"plan": "pro"}
    names = [item["event"] for item in get("/v1/profiles/ada/events", keys)[1]["results"]]
    assert names == ["visit", "$identify"]
    assert get("/v1/profiles/nobody", keys)[0] == 404


def test_the_pages_of_a_person_pass_over_what_others_did_on_their_device(keys: SourceKeys) -> None:
    post(keys, {"event": "visit", "anonymous_id": "tablet"})
    for person in ("ada", "grace"):
        post(keys, {"user_id": person, "anonymous_id": "tablet", "traits": {}}, "/v1/identify")
        evaluate()
    post(keys, {"events": [{"event": "other", "anonymous_id": "tablet"} for _ in range(5)]})
    post(keys, {"events": [{"event": "mine", "user_id": "ada"} for _ in range(5)]})
    evaluate()

    seen: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while "cursor" not in query or query["cursor"]:
        page = get("/v1/profiles/ada/events", keys, **query)[1]
        seen += [item["event"] for item in page["results"]]
        query["cursor"] = (page["next"] or "").partition("cursor=")[2].partition("&")[0]

    assert seen == ["visit", "$identify", *["mine"] * 5]


def test_an_app_checks_a_trigger_by_curl(keys: SourceKeys) -> None:
    make_rule("Cart", trigger={"kind": "event", "event": "add_to_cart"}, template=make_template().pk)
    post(keys, {"event": "add_to_cart", "user_id": "ada"})
    evaluate()

    activations = get("/v1/activations", keys, user_id="ada", rule="Cart")[1]["results"]
    deliveries = get("/v1/deliveries", keys, user_id="ada", state="planned")[1]["results"]

    assert (activations[0]["rule"], activations[0]["trace"]["outcome"]) == ("Cart", "matched")
    assert deliveries[0]["activation_id"] == activations[0]["id"]
    assert get("/v1/deliveries", keys, state="accepted")[1]["results"] == []
    assert get("/v1/deliveries", keys, state="lost")[0] == 400


def test_one_bad_item_fails_no_other(keys: SourceKeys) -> None:
    items = [
        {"event": "a", "user_id": "u"},
        {"event": 5},
        {"event": "b", "user_id": "u", "properties": {"x": "\ud800"}},
    ]
    status, body = post(keys, {"events": [*items, {"event": "c"}, {"event": "d", "user_id": 7}]})

    outcomes = [(item["outcome"], item["code"]) for item in body["results"]]
    assert status == 202
    assert outcomes == [
        ("accepted", None),
        ("rejected", "invalid_field"),
        ("rejected", "invalid_json"),
        ("rejected", "identity_required"),
        ("accepted", None),
    ]


def test_too_many_events_are_refused(keys: SourceKeys) -> None:
    status, body = post(keys, {"events": [{"event": "a", "user_id": "u"}] * 1001})

    assert (status, body["code"]) == (413, "too_many_events")


def test_the_description_of_the_api_names_every_address(keys: SourceKeys) -> None:
    answer = Client().get("/api/schema/", headers={"accept": "application/json"})

    assert answer.status_code == 200
    for path in ("/track-event", "/v1/events", "/v1/identify", "/v1/alias", "/v1/activations", "/v1/deliveries"):
        assert path in answer.content.decode()
