"""The dialect itself: what each kind of item means, and that no body breaks it."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.event import ALIAS, GROUP, IDENTIFY, PAGE_VIEWED, Item, Rejection
from tracking.wire.mixpanel.dialect import MIXPANEL, is_meant
from tracking.wire.request import WireError, WireRequest

KEY = "wk_shop"
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
SAMPLES = [
    json.loads(line)
    for name in ("python", "browser")
    for line in (Path(__file__).parents[2] / "wire_samples" / f"mixpanel_{name}.jsonl").read_text().splitlines()
]


def ask(path: str, body: bytes = b"", query: str = "", method: str = "POST", **headers: str) -> WireRequest:
    return WireRequest(method=method, path=path, headers=headers, body=body, query=query, address="203.0.113.9")


def read(path: str, item: Any, query: str = "") -> Any:
    """Return the one item that a request is understood as."""
    (understood,) = MIXPANEL.read(ask(path, json.dumps(item).encode(), query)).items
    return understood


def event(name: str, **properties: Any) -> dict[str, Any]:
    return {"event": name, "properties": {"token": KEY} | properties}


def dollar(**fields: Any) -> dict[str, Any]:
    return {f"${name}": value for name, value in fields.items()}


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ({"distinct_id": "ada"}, ("ada", None)),
        ({"distinct_id": 77}, ("77", None)),
        ({"distinct_id": "$device:d1"}, (None, "d1")),
        ({"distinct_id": "$device:d1", "$device_id": "d1"}, (None, "d1")),
        ({"distinct_id": "d1", "$device_id": "d1"}, (None, "d1")),
        ({"distinct_id": "ada", "$device_id": "d1"}, ("ada", "d1")),
        ({"distinct_id": "ada", "$device_id": "d1", "$user_id": "ada@new"}, ("ada@new", "d1")),
        ({"distinct_id": "ada", "$device_id": "null"}, ("ada", "null")),
        ({"distinct_id": "ada", "$user_id": "undefined"}, ("ada", None)),
        ({"distinct_id": "null", "$device_id": "d1"}, ("null", "d1")),
        ({}, (None, None)),
    ],
)
def test_who_it_is_about(ids: dict[str, Any], expected: tuple[Any, Any]) -> None:
    item = read("/track", event("bought", **ids))
    assert (item.user_id, item.anonymous_id) == expected


@pytest.mark.parametrize(
    "value", ["anon", "NULL", "00000000-0000-0000-0000-000000000000", "$device:undefined", 0, "-1"]
)
def test_an_id_that_means_nobody_is_refused(value: Any) -> None:
    refused = read("/track", event("bought", distinct_id=value))
    assert (refused.code, refused.field) == ("placeholder_id", "properties.distinct_id")
    assert read("/engage", {"$distinct_id": value, "$set": {"a": 1}}).code == "placeholder_id"


@pytest.mark.parametrize("value", [1795608000, 1795608000.0, 1795608000000, "1795608000", "2026-11-25T12:00:00Z"])
def test_a_time_is_seconds_or_milliseconds(value: Any) -> None:
    assert read("/track", event("bought", distinct_id="ada", time=value)).timestamp == NOON


@pytest.mark.parametrize("value", ["soon", True, [1], 1e300, -1e300, float("inf"), {}])
def test_a_time_that_is_none_is_refused_with_its_path(value: Any) -> None:
    refused = read("/track", event("bought", distinct_id="ada", time=value))
    if value == float("inf"):
        assert refused.timestamp is None
    else:
        assert (refused.code, refused.field) == ("invalid_field", "properties.time")


def test_a_page_tells_its_clock_and_may_ask_to_note_its_address() -> None:
    item = read("/track", event("bought", distinct_id="ada"), query="verbose=1&ip=1&_=1795608000000")
    assert (item.sent_at, item.context["ip"]) == (NOON, "203.0.113.9")
    named = read("/track", event("bought", distinct_id="ada", ip="198.51.100.7"), query="ip=1")
    assert named.context["ip"] == "198.51.100.7"
    assert "ip" not in read("/track", event("bought", distinct_id="ada"), query="ip=0").context


def test_an_id_tells_a_retry_and_a_time_stands_in_for_one() -> None:
    assert read("/track", event("a", **{"$insert_id": "i1"})).message_id == "i1"
    timed = [read("/track", event("a", time=1795608000, n=n)).message_id for n in (1, 1, 2)]
    assert timed[0] == timed[1] != timed[2]
    assert read("/track", event("a")).message_id is None


def test_circumstances_go_to_the_context() -> None:
    given_ = {"$os": "Linux", "$current_url": "https://shop/x", "utm_campaign": "c", "mp_lib": "web", "$odd": 1, "n": 2}
    item = read("/track", event("bought", distinct_id="ada", **given_))
    assert item.properties == {"n": 2}
    assert item.context == {
        "os": {"name": "Linux"},
        "page": {"url": "https://shop/x"},
        "campaign": {"name": "c"},
        "library": {"name": "web"},
        "mixpanel": {"odd": 1},
    }


def test_a_page_view_is_called_as_in_all_dialects() -> None:
    told = {"current_page_title": "Lamps", "current_url_path": "/lamps", "$current_url": "https://shop/lamps", "n": 1}
    item = read("/track", event("$mp_web_page_view", distinct_id="ada", **told))
    assert item.name == PAGE_VIEWED
    assert item.properties == {"title": "Lamps", "path": "/lamps", "url": "https://shop/lamps", "n": 1}


def test_what_the_library_captures_by_itself_has_names_and_the_rest_is_reserved() -> None:
    assert read("/track", event("$mp_click", distinct_id="ada")).name == "element_clicked"
    assert read("/track", event("$mp_unheard_of", distinct_id="ada")).code == "reserved_event"
    assert read("/track", event("$linked", distinct_id="ada")).code == "reserved_event"


@pytest.mark.parametrize(
    ("name", "properties", "expected"),
    [
        (
            "$identify",
            {"distinct_id": "ada", "$user_id": "ada", "$device_id": "d1", "$anon_distinct_id": "$device:d1"},
            (IDENTIFY, "ada", "d1", None),
        ),
        ("$identify", {"$identified_id": "ada", "$anon_id": "$device:d1"}, (IDENTIFY, "ada", "d1", None)),
        (
            "$identify",
            {"distinct_id": "new", "$device_id": "d1", "$anon_distinct_id": "old"},
            (ALIAS, "new", "d1", "old"),
        ),
        ("$create_alias", {"distinct_id": "$device:d1", "alias": "ada"}, (ALIAS, "ada", None, "d1")),
        ("$create_alias", {"distinct_id": "old", "alias": "new"}, (ALIAS, "new", None, "old")),
        ("$merge", {"$distinct_ids": ["ada", "old"]}, (ALIAS, "ada", None, "old")),
        ("$merge", {"$distinct_ids": ["$device:d1", "ada"]}, (ALIAS, "ada", None, "d1")),
    ],
)
def test_who_is_who(name: str, properties: dict[str, Any], expected: tuple[Any, ...]) -> None:
    item = read("/import", event(name, **properties))
    assert (item.name, item.user_id, item.anonymous_id, item.properties.get("previous_id")) == expected


@pytest.mark.parametrize(
    ("name", "properties"),
    [
        ("$merge", {"$distinct_ids": ["$device:a", "$device:b"]}),
        ("$merge", {"$distinct_ids": ["a", "b", "c"]}),
        ("$merge", {"$distinct_ids": ["a", [1]]}),
        ("$merge", {}),
        ("$create_alias", {"alias": "ada"}),
        ("$identify", {"distinct_id": "$device:d1"}),
    ],
)
def test_a_link_that_lacks_a_known_person_is_refused(name: str, properties: dict[str, Any]) -> None:
    assert isinstance(read("/track", event(name, **properties)), Rejection)


def test_operators_on_a_person_in_our_words() -> None:
    operators = dollar(
        set={"$email": "ada@example.com", "plan": "pro"},
        set_once={"$first_name": "Ada"},
        add={"logins": 1},
        append={"$transactions": {"$amount": 5}},
        union={"tags": ["a"]},
        remove={"tags": "b"},
        unset=["$phone", "x"],
    )
    item = read("/engage", {"$token": KEY, "$distinct_id": "ada", "$time": 1795608000} | operators)
    assert (item.name, item.user_id, item.timestamp) == (IDENTIFY, "ada", NOON)
    assert item.properties == {
        "traits": {"email": "ada@example.com", "plan": "pro"},
        "set_once": {"first_name": "Ada"},
        "add": {"logins": 1},
        "append": {"transactions": {"$amount": 5}},
        "union": {"tags": ["a"]},
        "remove": {"tags": "b"},
        "unset": ["phone", "x"],
    }


@pytest.mark.parametrize("operators", [{}, {"$set": 5}, {"$unset": [1]}, {"$add": ["a"]}])
def test_operators_that_cannot_be_understood_are_refused(operators: dict[str, Any]) -> None:
    assert read("/engage", {"$distinct_id": "ada"} | operators).code == "invalid_field"


def test_a_batch_of_statements_that_a_browser_repeats_is_known_and_one_of_another_moment_is_not() -> None:
    said = {"$distinct_id": "ada", "$add": {"visits": 1}}

    def identify(told: Any, clock: int) -> list[str | None]:
        items = MIXPANEL.read(ask("/engage", json.dumps(told).encode(), f"_={clock}")).items
        return [item.message_id for item in items if isinstance(item, Item)]

    first = identify([said, said], 1795608000000)
    assert identify([said, said], 1795608000000) == first
    assert len({*first, *identify([said], 1795608000001)} - {None}) == 3
    # Sent singly, two may well be of one millisecond.
    assert identify(said, 1795608000000) == [None]
    assert read("/engage", [said]).message_id is None


def test_nobody_is_erased_in_passing() -> None:
    refused = read("/engage", {"$distinct_id": "ada", "$delete": ""})
    assert (refused.code, refused.field) == ("use_erasure", "$delete")
    assert "DELETE /v1/profiles/" in refused.message


def test_a_group_stands_under_itself() -> None:
    item = read("/groups", {"$token": KEY, "$group_key": "company", "$group_id": "acme", "$set": {"$name": "Acme"}})
    assert (item.name, item.user_id, item.anonymous_id) == (GROUP, None, "$group:company:acme")
    assert item.properties == {"group_key": "company", "group_id": "acme", "traits": {"name": "Acme"}}


def test_a_refused_item_is_read_again_by_what_it_holds() -> None:
    for path, item in (
        ("/track", event("bought", distinct_id="ada")),
        ("/engage", {"$distinct_id": "ada", "$set": {"a": 1}}),
        ("/groups", {"$group_key": "company", "$group_id": "acme", "$set": {"a": 1}}),
    ):
        assert MIXPANEL.parse_item(json.dumps(item).encode()) == read(path, item)


@pytest.mark.parametrize(
    ("item", "query", "expected"),
    [
        (event("a"), "", True),
        ({"$token": KEY, "$set": {}}, "", True),
        ({"event": "a", "properties": {}}, "", False),
        ({"event": "a", "properties": {}}, f"token={KEY}", True),
        # PostHog's clients of former years had the same path and the token at the same place.
        ({"event": "a", "properties": {"token": KEY, "$lib": "web"}}, "", False),
        (event("a") | {"uuid": "0199"}, "", False),
        ({"api_key": KEY, "event": "a", "properties": {"distinct_id": "ada"}}, "", False),
        (5, "", False),
    ],
)
def test_a_shared_path_is_claimed_only_for_our_own_clients(item: Any, query: str, expected: bool) -> None:
    form = b"data=" + base64.b64encode(json.dumps(item).encode())
    assert is_meant(ask("/track", form, query)) is expected


def test_only_a_mixpanel_page_that_asks_for_flags_is_answered_here() -> None:
    basic = "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()
    assert is_meant(ask("/flags", method="GET", authorization=basic))
    assert is_meant(ask("/flags", method="GET", query=f"context=%7B%7D&token={KEY}"))
    assert not is_meant(ask("/flags", b"data=e30=", query="v=2"))
    assert not is_meant(ask("/flags", method="GET"))


PATHS = sorted(MIXPANEL.methods)


def check_survives(request: WireRequest) -> None:
    """Whatever it is: it is read, or refused with a code, and answered."""
    is_meant(request)
    try:
        MIXPANEL.find_key(request)
        told = MIXPANEL.read(request)
    except WireError as error:
        status = MIXPANEL.refuse(request, error).status
        return None if 400 <= status < 500 else pytest.fail(f"{request} is answered {status}")
    for index, item in enumerate(told.items):
        assert item.index == index
        assert isinstance(item, Item | Rejection)
        MIXPANEL.cut(request, told, index)
    return None


@given(
    sample=st.sampled_from(SAMPLES),
    place=st.integers(min_value=0),
    junk=st.binary(max_size=6),
    path=st.sampled_from(PATHS),
    in_base64=st.booleans(),
)
@settings(max_examples=300)
def test_a_damaged_request_is_refused_and_breaks_nothing(
    sample: dict[str, Any], place: int, junk: bytes, path: str, in_base64: bool
) -> None:
    whole = json.dumps(sample["json"]).encode()
    at = place % (len(whole) + 1)
    damaged = whole[:at] + junk + whole[at + len(junk) :]
    body = b"verbose=1&data=" + base64.b64encode(damaged) if in_base64 else damaged
    check_survives(ask(path, body, sample["query_string"]))


WORDS = [
    *("event", "properties", "token", "time", "distinct_id", "alias", "$set", "$unset", "$add", "$token", "$time"),
    *("$group_id", "$group_key", "$device_id", "$insert_id", "$distinct_ids", "$distinct_id", "$ip"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=12,
)
NAMES = ("a", "$identify", "$merge", "$create_alias", "$mp_click")


@given(item=JSON, name=st.sampled_from(NAMES), path=st.sampled_from(PATHS))
@settings(max_examples=300)
def test_any_json_is_read_or_refused(item: Any, name: str, path: str) -> None:
    for value in (item, {"event": name, "properties": item}):
        check_survives(ask(path, json.dumps(value).encode()))


@given(body=st.binary(max_size=60), query=st.text(max_size=30), path=st.sampled_from(PATHS))
def test_any_bytes_are_read_or_refused(body: bytes, query: str, path: str) -> None:
    check_survives(ask(path, body, query))
    check_survives(ask(path, b"data=" + body, query))
