import json
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given

from tests.core.wire.mutate import mutated_requests, read_safely
from tests.samples import load_requests
from tracking.event import Item, Rejection
from tracking.wire.dialects import DIALECTS, find_dialect
from tracking.wire.ga4.validation import list_messages
from tracking.wire.request import WireError, WireRequest

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MICROS = int(NOW.timestamp()) * 1_000_000


def read(body: dict[str, Any], path: str = "/mp/collect") -> list[Item | Rejection]:
    request = WireRequest(method="POST", path=path, headers={}, body=json.dumps(body).encode(), received_at=NOW)
    return find_dialect(request).read(request).items


def read_item(body: dict[str, Any]) -> Item:
    (item,) = read(body)
    assert isinstance(item, Item), item
    return item


def hit(query: str, body: str = "") -> list[Item]:
    request = WireRequest(method="POST", path="/g/collect", headers={}, body=body.encode(), query=query)
    items = find_dialect(request).read(request).items
    assert all(isinstance(item, Item) for item in items), items
    return items  # type: ignore[return-value]


def event(name: str = "add_to_cart", **params: Any) -> dict[str, Any]:
    return {"name": name, "params": params}


def request(*events: Any, **more: Any) -> dict[str, Any]:
    return {"client_id": "1.2", "user_id": "ada", "events": list(events)} | more


def test_every_recorded_request_is_understood() -> None:
    requests = load_requests("ga4*.jsonl")
    assert len(requests) > 12
    for one in requests:
        items = find_dialect(one).read(one).items
        assert all(isinstance(item, Item) for item in items), items
        assert items or one.path == "/debug/mp/collect"


def test_user_properties_are_told_before_the_events() -> None:
    identify, bought = read(request(event("purchase"), user_properties={"plan": {"value": "pro"}, "old": 7}))
    assert isinstance(identify, Item)
    assert isinstance(bought, Item)
    assert (identify.name, identify.properties) == ("$identify", {"traits": {"plan": "pro", "old": 7}})
    assert (identify.user_id, identify.anonymous_id, bought.name) == ("ada", "1.2", "purchase")


def test_an_events_own_time_comes_before_the_requests() -> None:
    early = {"timestamp_micros": str(MICROS - 5_000_000)}
    first, second = read(request(event() | early, event(), timestamp_micros=MICROS))
    assert isinstance(first, Item)
    assert isinstance(second, Item)
    assert (first.timestamp, second.timestamp) == (NOW - timedelta(seconds=5), NOW)


@pytest.mark.parametrize("value", ["soon", {}, [1], 10**30, "1" * 6_000, 1e300])
def test_a_time_that_is_none_fails_its_event_alone(value: Any) -> None:
    refused, taken = read(request(event() | {"timestamp_micros": value}, event()))
    assert isinstance(taken, Item)
    assert isinstance(refused, Rejection)
    assert refused.field == "timestamp_micros"


def test_only_who_asks_to_be_strict_is_refused_what_is_older_than_72_hours() -> None:
    old = request(event(), timestamp_micros=MICROS - 80 * 3_600 * 1_000_000)
    assert read_item(old).timestamp == NOW - timedelta(hours=80)
    (refused,) = read(old | {"validation_behavior": "ENFORCE_RECOMMENDATIONS"})
    assert isinstance(refused, Rejection)
    assert refused.code == "timestamp_out_of_range"


def test_what_tells_a_retry() -> None:
    def find_id(one: Any, **more: Any) -> str | None:
        return read_item(request(one, **more)).message_id

    assert find_id(event(event_id="e1")) == "e1"
    assert find_id(event("purchase", transaction_id="t1")) == "t1"
    assert find_id(event("refund", transaction_id="t1")) == "t1"
    assert find_id(event("refund", transaction_id="t1", items=[{"item_id": "a"}])) is None
    assert find_id(event("add_shipping_info", transaction_id="t1")) is None
    assert find_id(event()) is None
    timed = find_id(event(sku="lamp"), timestamp_micros=MICROS)
    assert timed is not None
    assert timed == find_id(event(sku="lamp"), timestamp_micros=MICROS)
    assert timed != find_id(event(sku="rug"), timestamp_micros=MICROS)
    assert timed != find_id(event(sku="lamp"), timestamp_micros=MICROS + 1)


def test_the_same_twice_in_a_request_was_done_twice_and_its_retry_is_known() -> None:
    twice = request(event(), event(), timestamp_micros=MICROS)
    ids = [item.message_id for item in read(twice) if isinstance(item, Item)]
    assert len(set(ids)) == 2
    assert ids == [item.message_id for item in read(twice) if isinstance(item, Item)]


def test_reserved_names_are_taken_and_marked() -> None:
    item = read_item(request(event("user_engagement", _x=1, firebase_y=2, z=3)))
    assert item.context["reserved_names"] == ["_x", "firebase_y", "user_engagement"]
    assert "reserved_names" not in read_item(request(event("purchase"))).context


def test_page_views_are_called_as_everywhere() -> None:
    told = read_item(request(event("page_view", page_location="https://a.example/", page_title="A", session_id=7)))
    (seen,) = hit("tid=k&cid=1&en=page_view&dl=https://a.example/&dt=A&sid=7")
    for item in (told, seen):
        assert (item.name, item.properties) == ("page_viewed", {"url": "https://a.example/", "path": "/", "title": "A"})
        assert item.context["session_id"] == "7"


def test_postponed_events_of_ga4mp_come_bare() -> None:
    assert read_item({"client_id": "1.2", "events": event()}).name == "add_to_cart"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"client_id": "1"}, "no_events"),
        ({"client_id": "1", "events": 7}, "invalid_field"),
        ({"client_id": "1", "events": [{}] * 1_001}, "too_many_events"),
    ],
)
def test_a_request_that_says_nothing_is_refused_whole(body: Any, code: str) -> None:
    with pytest.raises(WireError) as refused:
        read(body)
    assert refused.value.code == code


def test_what_is_kept_of_an_event_can_be_read_again() -> None:
    body = request(event(), {"name": 7}, user_properties={"plan": {"value": "pro"}}, timestamp_micros=MICROS)
    asked = WireRequest(method="POST", path="/mp/collect", headers={}, body=json.dumps(body).encode())
    dialect = find_dialect(asked)
    told = dialect.read(asked)
    for index in range(3):
        again = dialect.parse_item(dialect.cut(asked, told, index))
        assert repr(again).replace("index=0", f"index={index}") == repr(told.items[index])


def test_a_hits_parameters_are_told_by_their_prefix() -> None:
    product = "idA1~nmShirt~~s~pr19.9~qt2~k0color~v0red"
    (identify, item) = hit(
        f"tid=k&cid=1&uid=ada&en=view&ep.a=1&epn.b=2.50&epn.c=soon&up.plan=pro&upn.n=3&pr1={product}"
    )
    assert identify.properties == {"traits": {"plan": "pro", "n": 3}}
    assert item.properties["items"] == [
        {"color": "red", "item_id": "A1", "item_name": "Shirt~s", "price": 19.9, "quantity": 2}
    ]
    assert {name: item.properties[name] for name in "abc"} == {"a": "1", "b": 2.5, "c": "soon"}
    assert (item.user_id, item.anonymous_id) == ("ada", "1")


def test_numbers_that_json_does_not_know_stay_text() -> None:
    (item,) = hit("cid=1&en=a&epn.a=nan&epn.b=1e999&epn.c=1_0&epn.d=%C2%B2&epn.e=" + "9" * 400)
    assert {type(value) for value in item.properties.values()} == {str}


def test_lines_share_the_address_and_say_more() -> None:
    first, second = hit("tid=k&cid=1&_p=1&_s=3&dt=Shop", "en=scroll&epn.percent=90\r\nen=login&cid=2\r\n")
    assert [(item.name, item.anonymous_id) for item in (first, second)] == [("scroll", "1"), ("login", "2")]
    assert second.context["page"] == {"title": "Shop"}


def test_a_beacon_that_comes_again_is_known_and_the_next_hit_is_another() -> None:
    def find_id(query: str) -> str | None:
        return hit(query)[0].message_id

    once = find_id("cid=1&en=click&_p=5&_s=2")
    assert once is not None
    assert once == find_id("cid=1&en=click&_p=5&_s=2")
    assert once != find_id("cid=1&en=click&_p=5&_s=3")
    assert find_id("cid=1&en=click&_s=2") is None
    same, again = hit("cid=1&_p=5&_s=2", "en=click\nen=click")
    assert same.message_id != again.message_id


def test_raw_bytes_and_nul_in_an_address_are_mended() -> None:
    (item,) = hit(
        "cid=1&en=a&ep.raw=Grüße 🎉".encode().decode("latin-1") + "&ep.nul=a%00b&ep.bad=%ff&ep.half=%ed%a0%bc"
    )
    assert item.properties["raw"] == "Grüße 🎉"
    assert item.properties["nul"] == "ab"
    json.dumps(item.properties, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        ({"client_id": None}, "client_id", "VALUE_REQUIRED"),
        ({"client_id": 7}, "client_id", "VALUE_INVALID"),
        ({"events": []}, "events", "VALUE_REQUIRED"),
        ({"events": {"name": "a"}}, "events", "VALUE_INVALID"),
        ({"events": [event()] * 26}, "events", "EXCEEDED_MAX_ENTITIES"),
        ({"events": [7]}, "events[0]", "VALUE_INVALID"),
        ({"events": [{}]}, "events[0].name", "VALUE_REQUIRED"),
        ({"events": [event("1up")]}, "events[0].name", "NAME_INVALID"),
        ({"events": [event("a" * 41)]}, "events[0].name", "NAME_INVALID"),
        ({"events": [event("session_start")]}, "events[0].name", "NAME_RESERVED"),
        ({"events": [{"name": "a", "params": 7}]}, "events[0].params", "VALUE_INVALID"),
        (
            {"events": [{"name": "a", "params": {f"p{n}": n for n in range(26)}}]},
            "events[0].params",
            "EXCEEDED_MAX_ENTITIES",
        ),
        ({"events": [event(a="x" * 101)]}, "events[0].params.a", "VALUE_OUT_OF_BOUNDS"),
        ({"events": [event(a={})]}, "events[0].params.a", "VALUE_INVALID"),
        ({"events": [event(ga_a=1)]}, "events[0].params.ga_a", "NAME_RESERVED"),
        ({"events": [event(value=1)]}, "events[0].params.currency", "VALUE_REQUIRED"),
        (
            {"events": [event("purchase", currency="EUR", value=1)]},
            "events[0].params.transaction_id",
            "VALUE_REQUIRED",
        ),
        ({"events": [event(items=[7])]}, "events[0].params.items[0]", "VALUE_INVALID"),
        (
            {"events": [event(items=[{f"own{n}": n for n in range(11)}])]},
            "events[0].params.items[0]",
            "EXCEEDED_MAX_ENTITIES",
        ),
        ({"user_properties": {"plan": "pro"}}, "user_properties.plan", "VALUE_REQUIRED"),
        ({"user_properties": {"a" * 25: {"value": 1}}}, f"user_properties.{'a' * 25}", "NAME_INVALID"),
        ({"user_properties": {"a": {"value": "x" * 37}}}, "user_properties.a", "VALUE_OUT_OF_BOUNDS"),
        ({"user_properties": {"user_id": {"value": 1}}}, "user_properties.user_id", "NAME_RESERVED"),
        ({"consent": {"ad_user_data": "YES"}}, "consent.ad_user_data", "VALUE_INVALID"),
        ({"timestamp_micros": MICROS - 73 * 3_600_000_000}, "timestamp_micros", "VALUE_OUT_OF_BOUNDS"),
        ({"timestamp_micros": "soon"}, "timestamp_micros", "VALUE_INVALID"),
    ],
)
def test_each_limit_has_its_message(change: dict[str, Any], path: str, code: str) -> None:
    assert list_messages(request(event()), 100, NOW) == []
    (message,) = list_messages(request(event()) | change, 100, NOW)
    assert (message.field_path, message.validation_code) == (path, code)


def test_a_large_body_has_its_message_too() -> None:
    assert [message.validation_code for message in list_messages(request(event()), 130_001, NOW)] == [
        "EXCEEDED_MAX_ENTITIES"
    ]


def test_a_validation_says_a_hundred_things_and_none_at_length() -> None:
    items: list[Any] = [{f"_{'k' * 26}{number}": [] for number in range(20_000)}]
    messages = list_messages(request(event(items=items)), 100, NOW)
    assert (len(messages), messages[0].validation_code) == (100, "EXCEEDED_MAX_ENTITIES")
    told = list_messages(request(event("x" * 100_000, **{"y" * 100_000: 1})), 100, NOW)
    assert {message.validation_code for message in told} == {"NAME_INVALID"}
    assert all(len(message.field_path + message.description) < 600 for message in told)


def make_hostile_requests() -> list[WireRequest]:
    """What all events of a request share is there once on the wire, and would be there once for each in memory."""
    keys = {f"k{number}": 1 for number in range(60_000)}
    text = {"user_location": {"city": "x" * 700_000}}
    many = "&".join(f"p{number}=1" for number in range(6_000))
    bodies = [json.dumps(request(*[event()] * 1_000) | more).encode() for more in (keys, text, {"device": keys})]
    lines = b"\n".join([b"en=a"] * 1_000)
    queries = (f"cid=1&{many}", f"cid=1&dt={'x' * 60_000}")
    return [
        *(WireRequest(method="POST", path="/mp/collect", headers={}, body=body) for body in bodies),
        *(WireRequest(method="POST", path="/g/collect", headers={}, body=lines, query=query) for query in queries),
    ]


@pytest.mark.parametrize("asked", make_hostile_requests(), ids=["keys", "text", "device", "parameters", "query"])
def test_what_events_share_does_not_fill_the_memory(asked: WireRequest) -> None:
    dialect = find_dialect(asked)
    tracemalloc.start()
    try:
        told = dialect.read(asked)
        assert len([dialect.cut(asked, told, index) for index in range(len(told.items))]) == 1_000
    except WireError as error:
        status = error.status
    else:
        status = 413
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert status == 413
    assert peak < 64_000_000


@given(mutated_requests(load_requests("ga4*.jsonl")))
def test_whatever_comes_is_understood_or_refused(asked: WireRequest) -> None:
    read_safely(asked, DIALECTS)
