import base64
import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given

from tests.core.wire.mutate import mutated_requests, read_safely
from tests.samples import load_requests
from tracking.event import IDENTIFY, Item, Rejection
from tracking.schema.validate import MAX_ID
from tracking.wire.dialect import Told
from tracking.wire.dialects import DIALECTS, find_dialect
from tracking.wire.posthog.dialect import POSTHOG, answer, refuse
from tracking.wire.request import WireError, WireRequest

SENT = "2026-11-24T12:00:05+00:00"
WHEN = "2026-11-24T12:00:00.000Z"
ENCODED = base64.b64encode


def read(body: Any, path: str = "/batch") -> Told:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return POSTHOG.read(WireRequest(method="POST", path=path, headers={}, body=raw))


def read_items(*events: Any, **envelope: Any) -> list[Item | Rejection]:
    return list(read({"api_key": "wk_1", "batch": list(events), "sent_at": SENT} | envelope).items)


def read_item(event: Any) -> Item:
    (item,) = read_items(event)
    assert isinstance(item, Item), item
    return item


def event(name: str = "add_to_cart", properties: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"event": name, "distinct_id": "ada", "uuid": "u1", "timestamp": WHEN, "properties": properties or {}} | more


def on_a_page(name: str, distinct_id: str, *, identified: bool, **properties: Any) -> dict[str, Any]:
    own = {"distinct_id": distinct_id, "$device_id": "device", "$is_identified": identified, "$lib": "web"}
    return {"event": name, "uuid": "u1", "timestamp": WHEN, "properties": own | properties}


def test_every_recorded_request_is_understood() -> None:
    requests = load_requests("posthog*.jsonl")
    items = [item for one in requests for item in find_dialect(one).read(one).items]
    assert all(isinstance(item, Item) for item in items), items
    names = {item.name for item in items if isinstance(item, Item)}
    assert names >= {"$identify", "$alias", "$group", "page_viewed", "page_left", "element_clicked", "add_to_cart"}
    assert not any(name.startswith("$") for name in names - {"$identify", "$alias", "$group"})


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "form of base64": lambda body: b"data=" + quote(ENCODED(body)).encode(),
    "form of bare base64": lambda body: b"compression=base64&data=" + ENCODED(body).rstrip(b"="),
    "form of JSON": lambda body: b"data=" + quote(body).encode(),
    "form of gzip": lambda body: b"data=" + quote(ENCODED(gzip.compress(body))).encode(),
}


@pytest.mark.parametrize("packing", PACKINGS.values(), ids=PACKINGS.keys())
def test_a_body_is_read_however_it_is_packed(packing: Callable[[bytes], bytes]) -> None:
    for mood in ("🎉", "?>~ÿ", "a+b"):
        body = {"api_key": "wk_1", "batch": [event(properties={"mood": mood})]}
        told = read(packing(json.dumps(body, ensure_ascii=False).encode()), "/e")
        (item,) = told.items
        assert isinstance(item, Item)
        assert (told.key, item.properties) == ("wk_1", {"mood": mood})


def test_one_event_a_list_and_a_batch_are_read_and_the_key_is_found_in_each() -> None:
    with_token = event(properties={"token": "wk_1"})
    for body in ({"api_key": "wk_1"} | event(), [with_token], {"token": "wk_1", "batch": [event()]}, with_token):
        told = read(body, "/capture")
        (item,) = told.items
        assert isinstance(item, Item)
        assert (told.key, item.name, item.properties, item.message_id) == ("wk_1", "add_to_cart", {}, "u1")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"rubbish", "invalid_json"),
        (b"data=QQQQQ", "invalid_base64"),
        (b'{"batch": {}}', "invalid_field"),
        (b'{"batch": []}', "no_events"),
        (b'{"batch": [' + b"1," * 2_500 + b"1]}", "too_many_events"),
        (b"\x1f\x8bnonsense", "invalid_compression"),
    ],
)
def test_a_body_that_says_nothing_is_refused_whole(body: bytes, code: str) -> None:
    with pytest.raises(WireError) as refused:
        read(body)
    assert refused.value.code == code


def test_a_page_speaks_for_its_device_until_somebody_signs_in() -> None:
    before = read_item(on_a_page("a", "device", identified=False))
    signed_in = read_item(on_a_page("$identify", "ada", identified=True, **{"$anon_distinct_id": "device"}))
    after = read_item(on_a_page("b", "ada", identified=True))
    again = read_item(on_a_page("c", "drawn-after-reset", identified=False))
    assert [(one.user_id, one.anonymous_id) for one in (before, signed_in, after, again)] == [
        (None, "device"),
        ("ada", "device"),
        ("ada", None),
        (None, "drawn-after-reset"),
    ]


def test_without_a_profile_nobody_is_known() -> None:
    item = read_item(event(properties={"$process_person_profile": False}))
    assert (item.user_id, item.anonymous_id) == (None, "ada")


@pytest.mark.parametrize(
    ("library", "identified", "distinct_id", "alias", "expected"),
    [
        ("posthog-python", None, "old", "ada", ("ada", "old")),
        ("posthog-node", None, "ada", "old", ("ada", "old")),
        ("posthog-ruby", None, "ada", "old", ("ada", "old")),
        ("web", True, "ada", "second", ("ada", "second")),
        ("web", False, "device", "ada", ("ada", "device")),
    ],
)
def test_each_librarys_alias_is_understood(
    library: str, identified: bool | None, distinct_id: str, alias: str, expected: tuple[str, str]
) -> None:
    told = {"$lib": library, "alias": alias, "distinct_id": distinct_id, "$is_identified": identified}
    item = read_item(event("$create_alias", told, distinct_id=distinct_id))
    assert item.name == "$alias"
    assert (item.user_id, item.properties["previous_id"], item.anonymous_id) == (*expected, None)


def test_a_group_is_nobodys_where_a_server_tells_of_it() -> None:
    acme = {"$group_type": "company", "$group_key": "acme", "$group_set": {"name": "Acme"}}
    drawn = "8a3f3dc0-84bf-4d6b-b5b3-f709af51f355"
    for distinct_id, known in (("$company_acme", False), (drawn, False), ("ada", True)):
        item = read_item(event("$groupidentify", acme, distinct_id=distinct_id))
        assert item.properties == {"group_id": "acme", "group_type": "company", "traits": {"name": "Acme"}}
        assert (item.user_id is not None) == known


def test_what_an_event_says_of_its_person_is_told_before_it() -> None:
    said = {"$set": {"email": "a@example.com"}, "$set_once": {"first": 1}, "$unset": ["old"]}
    for one in (event(properties={"n": 1} | said), event(properties={"n": 1}) | said):
        statement, bought = read_items(one)
        assert isinstance(statement, Item)
        assert isinstance(bought, Item)
        assert statement.name == "$identify"
        assert statement.properties == {
            "traits": {"email": "a@example.com"},
            "set_once": {"first": 1},
            "unset": ["old"],
        }
        assert (statement.user_id, statement.name) == ("ada", IDENTIFY)
        assert (bought.name, bought.properties, bought.message_id) == ("add_to_cart", {"n": 1}, "u1")


def test_set_events_are_statements_and_no_more() -> None:
    for name in ("$identify", "$set"):
        item = read_item(event(name, **{"$set": {"plan": "pro"}, "$set_once": {}}))
        assert (item.name, item.properties) == ("$identify", {"traits": {"plan": "pro"}})


def test_of_what_posthog_js_adds_only_the_first_visit_is_kept() -> None:
    once = {"$initial_utm_source": "news", "$initial_gclid": None, "$current_url": "x", "utm_term": None, "first": 1}
    item = read_item(event("$identify", **{"$set_once": once}))
    assert item.properties == {"traits": {}, "set_once": {"initial_utm_source": "news", "first": 1}}


@pytest.mark.parametrize(
    ("name", "properties", "expected"),
    [
        ("$pageview", {"$current_url": "https://a.example/b?c", "title": "B", "$referrer": "$direct"}, "page_viewed"),
        ("$pageleave", {"$current_url": "https://a.example/b?c"}, "page_left"),
        ("$screen", {}, "screen_viewed"),
        ("$autocapture", {"$event_type": "click"}, "element_clicked"),
        ("$autocapture", {"$event_type": "submit"}, "form_submitted"),
        ("$autocapture", {"$event_type": ["?"]}, "element_used"),
        ("$rageclick", {}, "element_rage_clicked"),
        ("$something_new", {}, "something_new"),
        ("Signed Up", {}, "Signed Up"),
    ],
)
def test_each_name_has_ours(name: str, properties: dict[str, Any], expected: str) -> None:
    item = read_item(event(name, properties))
    assert item.name == expected
    if "$current_url" in properties:
        assert item.properties["url"] == "https://a.example/b?c"
        assert item.properties["path"] == "/b"
        assert "referrer" not in item.properties


def test_properties_with_a_dollar_go_where_they_belong() -> None:
    told = {
        "$session_id": "s",
        "$lib": "web",
        "$lib_version": "1",
        "$sdk_debug_x": 1,
        "$el_text": "Buy",
        "utm_source": "news",
        "utm_term": None,
        "gclid": None,
        "fbclid": "f",
        "token": "wk_1",
        "price": 3,
        "nothing": None,
    }
    item = read_item(event("$autocapture", told | {"$event_type": "click"}))
    assert item.properties == {"text": "Buy", "price": 3, "nothing": None}
    assert item.context == {
        "session_id": "s",
        "library": {"name": "web", "version": "1"},
        "campaign": {"source": "news"},
        "click_ids": {"fbclid": "f"},
    }


def test_what_is_not_wanted_is_acknowledged_and_not_kept() -> None:
    told = read({"batch": [event("$snapshot"), event("$web_vitals"), event("$exception")]})
    assert told.items == []
    response = answer(WireRequest(method="POST", path="/e", headers={}, body=b""), told, [])
    assert (response.status, response.body) == (200, {"status": 1})


def test_the_time_is_the_events_own() -> None:
    moment = datetime(2026, 11, 24, 12, tzinfo=UTC)
    sent = datetime(2026, 11, 24, 12, 0, 5, tzinfo=UTC)
    item = read_item(event())
    assert (item.timestamp, item.sent_at) == (moment, sent)
    seconds = event(properties={"$time": moment.timestamp()})
    del seconds["timestamp"]
    assert read_item(seconds).timestamp == moment
    assert read_item(event(properties={"$lib": "posthog-node"})).sent_at is None


def test_a_retry_has_the_same_id_even_where_the_library_gives_none() -> None:
    def find_id(**more: Any) -> str | None:
        one = event(**more)
        del one["uuid"]
        return read_item(one).message_id

    assert find_id() is not None
    assert find_id(offset=1) == find_id(offset=2) == find_id()
    assert find_id(properties={"n": 1}) != find_id()
    assert find_id(timestamp=None) is None
    assert find_id(properties={"$insert_id": "i1"}) == "i1"


def test_each_item_of_an_id_has_an_id_of_its_own() -> None:
    ids = []
    for told in ({"uuid": "i1"}, {"uuid": 7}, {"uuid": None, "properties": {"$insert_id": "i2"}}):
        for name in ("signed_up", "n" * 200, "$identify", "$set"):
            items = read_items(event(name) | told | {"$set": {"plan": "pro"}})
            assert len(items) == (1 if name[0] == "$" else 2)
            ids += [(item.name, item.message_id) for item in items if isinstance(item, Item)]
    assert len(ids) == len(set(ids)) == 18
    assert all(found is not None and len(found) <= MAX_ID for _, found in ids)


def test_a_migration_is_history() -> None:
    for told, expected in ((True, True), (False, False), ("yes", False)):
        (item,) = read_items(event(), historical_migration=told)
        assert isinstance(item, Item)
        assert item.is_import is expected


def test_one_bad_event_fails_alone() -> None:
    bad = (
        [7],
        event(event=7),
        event(uuid={}),
        event(timestamp="soon"),
        event(distinct_id=None),
        event("$create_alias"),
    )
    items = read_items(event(), *bad, "x", event("$groupidentify"))
    assert isinstance(items[0], Item)
    rejections = [item for item in items if isinstance(item, Rejection)]
    assert len(rejections) == len(items) - 1
    assert [one.field for one in rejections[:5]] == ["", "event", "uuid", "timestamp", "distinct_id"]


def test_an_overload_is_told_so_that_posthog_js_comes_back() -> None:
    request = WireRequest(method="POST", path="/e", headers={}, body=b"")
    refusal = refuse(request, WireError(429, "too_many_requests", "Slow down."))
    assert (refusal.status, refusal.body["code"], refusal.body["detail"]) == (503, "too_many_requests", "Slow down.")
    assert refuse(request, WireError(401, "unknown_key", "No.")).status == 401


@given(mutated_requests(load_requests("posthog*.jsonl")))
def test_whatever_comes_is_understood_or_refused(asked: WireRequest) -> None:
    read_safely(asked, DIALECTS)
