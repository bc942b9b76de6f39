"""What a payload becomes: an event, nothing, or a reason."""

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.wire.hooks.map_payload import Arrived, Mapped, Result, map_payload
from tracking.wire.hooks.mapping import CompiledMapping, Mapping, PropertyRow, compile_mapping
from tracking.wire.hooks.payload import count_values, read_payload
from tracking.wire.hooks.presets import PRESETS
from tracking.wire.hooks.signatures import STYLES
from tracking.wire.request import WireError

PAYLOAD: dict[str, Any] = {
    "id": 7,
    "type": "order.paid",
    "at": "2026-01-05T10:04:00-05:00",
    "live": True,
    "who": {"id": 42, "mail": "ada@example.com", "none": None, "empty": ""},
    "lines": [{"sku": "lamp", "price": 19.5}, {"sku": "bulb", "price": 2}],
}


def apply(mapping: Mapping, payload: Any = PAYLOAD, headers: dict[str, str] | None = None) -> Mapped:
    compiled, errors = compile_mapping(mapping)
    assert errors == []
    return run(compiled, payload, headers)


def run(compiled: CompiledMapping, payload: Any, headers: dict[str, str] | None = None) -> Mapped:
    values = count_values(json.dumps(payload).encode())
    arrived = Arrived(payload=payload, headers=headers or {}, values=values, fingerprint="f" * 64)
    return map_payload(compiled, arrived, hook="hook-1", name="orders")


def make(**fields: Any) -> Mapping:
    return Mapping(**({"event": "paid", "user_id": "$.who.id"} | fields))


def rows(**places: str) -> list[PropertyRow]:
    return [PropertyRow(name=name, place=place) for name, place in places.items()]


def test_each_part_is_found_at_its_place() -> None:
    mapping = make(
        event="$.type",
        names={"order.paid": "purchase"},
        email="$.who.mail",
        message_id="$.id",
        time="$.at",
        properties=rows(
            skus="$.lines[*].sku", first="$.lines[0].price", cheap="$.lines[?@.price<10].sku", all="$..sku"
        ),
    )
    mapped = apply(mapping)
    assert mapped.result is Result.EVENT
    assert mapped.item is not None
    assert (mapped.item.name, mapped.item.user_id, mapped.item.message_id) == ("purchase", "42", "hook-1:7")
    assert mapped.item.timestamp == datetime(2026, 1, 5, 15, 4, tzinfo=UTC)
    skus = ["lamp", "bulb"]
    assert mapped.item.properties == {"skus": skus, "first": 19.5, "cheap": ["bulb"], "all": skus}
    assert mapped.identify is not None
    assert mapped.identify.properties == {"traits": {"email": "ada@example.com"}}
    assert mapped.identify.message_id == "hook-1:7"


def test_a_header_may_name_the_event_and_the_message() -> None:
    mapping = make(event="header:X-Topic", message_id="Header:X-Id")
    item = apply(mapping, headers={"x-topic": "orders/paid", "x-id": "w1"}).item
    assert item is not None
    assert (item.name, item.message_id) == ("orders/paid", "hook-1:w1")


def test_without_a_message_id_the_body_tells_a_retry() -> None:
    item = apply(make()).item
    assert item is not None
    assert item.message_id == "hook-1:" + "f" * 64


def test_a_very_long_message_id_is_kept_as_its_hash() -> None:
    item = apply(make(message_id="$.id"), PAYLOAD | {"id": "x" * 300}).item
    assert item is not None
    assert item.message_id is not None
    assert len(item.message_id) < 100


@pytest.mark.parametrize(("others", "result"), [("keep", Result.EVENT), ("ignore", Result.IGNORED)])
def test_a_name_that_is_not_in_the_table_is_kept_or_ignored(others: Any, result: Result) -> None:
    assert apply(make(event="$.type", names={"other": "x"}, others=others)).result is result


@pytest.mark.parametrize(
    ("place", "values", "result"),
    [
        ("$.live", ["true"], Result.EVENT),
        ("$.live", ["false"], Result.IGNORED),
        ("$.id", ["6", "7"], Result.EVENT),
        ("$.type", ["order.paid"], Result.EVENT),
        ("$.nowhere", [""], Result.IGNORED),
        ("$.who.none", ["null"], Result.EVENT),
    ],
)
def test_a_condition_decides_what_is_an_event(place: str, values: list[str], result: Result) -> None:
    assert apply(make(only_when=place, is_one_of=values)).result is result


def test_the_whole_body_may_be_the_properties_and_rows_come_on_top() -> None:
    item = apply(make(whole_body=True, properties=rows(id="$.type"))).item
    assert item is not None
    assert item.properties == PAYLOAD | {"id": "order.paid"}


def test_an_address_stands_for_a_user_id_only_where_that_was_said() -> None:
    mapping = make(user_id="$.nowhere", email="$.who.mail", email_as_user_id=True)
    item = apply(mapping).item
    assert item is not None
    assert item.user_id == "ada@example.com"
    problems = apply(make(user_id="$.nowhere", email="$.who.mail")).problems
    assert [problem.code for problem in problems] == ["identity_required"]


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"user_id": "$.nowhere"}, "user_id", "identity_required"),
        ({"user_id": "$.who.none"}, "user_id", "identity_required"),
        ({"user_id": "$.who.empty"}, "user_id", "identity_required"),
        ({"user_id": "$.who"}, "user_id", "wrong_type"),
        ({"user_id": "$.live"}, "user_id", "wrong_type"),
        ({"event": "$.nowhere"}, "event", "missing"),
        ({"event": "$.id"}, "event", "wrong_type"),
        ({"event": "$.dollar"}, "event", "reserved_event"),
        ({"email": "$.type"}, "email", "wrong_type"),
        ({"time": "$.type"}, "time", "wrong_type"),
        ({"time": "$.naive"}, "time", "wrong_type"),
        ({"time": "$.huge"}, "time", "wrong_type"),
        ({"message_id": "$.who"}, "message_id", "wrong_type"),
        ({"properties": [PropertyRow(name="x", place="$.no", is_required=True)]}, "properties.0.place", "missing"),
    ],
)
def test_what_keeps_it_from_being_an_event_is_said_at_its_field(fields: dict[str, Any], field: str, code: str) -> None:
    payload = PAYLOAD | {"dollar": "$identify", "naive": "2026-01-05T10:04:00", "huge": 10**30}
    mapped = apply(make(**fields), payload)
    assert mapped.result is Result.UNCLEAR
    assert [(problem.field, problem.code) for problem in mapped.problems] == [(field, code)]


def test_a_property_that_is_not_there_is_left_out_and_said() -> None:
    mapped = apply(make(properties=rows(a="$.nowhere", b="$.who.none")))
    assert mapped.result is Result.EVENT
    assert mapped.item is not None
    assert mapped.item.properties == {"b": None}
    assert [(note.field, note.code) for note in mapped.notes] == [("properties.0.place", "left_out")]


@pytest.mark.parametrize(
    ("value", "second"),
    [(1767607440, 0), (1767607440.5, 0), (1767607440000, 0), ("1767607440", 0), ("2026-01-05T10:04:00Z", 0)],
)
def test_a_time_may_be_unix_seconds_milliseconds_or_iso(value: Any, second: int) -> None:
    item = apply(make(time="$.t"), {"t": value} | PAYLOAD).item
    assert item is not None
    assert item.timestamp is not None
    assert item.timestamp.replace(microsecond=0) == datetime(2026, 1, 5, 10, 4, second, tzinfo=UTC)


@pytest.mark.parametrize(
    ("mapping", "field"),
    [
        (Mapping(user_id="$.a"), "event"),
        (Mapping(event="x"), "user_id"),
        (make(user_id="who.id"), "user_id"),
        (make(user_id="$.who["), "user_id"),
        (make(message_id="header:"), "message_id"),
        (make(only_when="$.a"), "is_one_of"),
        (make(others="ignore"), "names"),
        (make(names={"a": "$b"}), "names"),
        (make(email_as_user_id=True), "email"),
        (make(properties=rows(a="$.b", b="$.c[")), "properties.1.place"),
        (make(properties=[*rows(a="$.b"), *rows(a="$.c")]), "properties.1.name"),
        (make(properties=rows(**{" ": "$.b"})), "properties.0.name"),
    ],
)
def test_what_is_wrong_with_a_mapping_is_said_at_its_field(mapping: Mapping, field: str) -> None:
    _, errors = compile_mapping(mapping)
    assert [error.field for error in errors] == [field]


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_each_preset_makes_an_event_of_its_example(preset: str) -> None:
    row = PRESETS[preset]
    mapped = apply(row.mapping, row.example, row.headers)
    assert mapped.result is Result.EVENT
    assert mapped.notes == ()
    assert mapped.item is not None
    assert len(mapped.item.properties) == len(row.mapping.properties)
    assert row.style in STYLES


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
PLACES = st.sampled_from(
    [
        *("$", "$.a", "$.a.b", "$.a[0]", "$['a']", "$[-1].a", "header:x-a"),
        *("$..a", "$..*", "$[*]", "$.*", "$[1:]", "$[::-1]"),
        *("$.a[?@.b>1]", "$[?@.a==$.b]", "$..[?@!=null]", "$..[?@.a||!@.b]"),
    ]
) | st.text(max_size=30).map(lambda text: "$" + text)


@given(data=st.data())
def test_nothing_that_is_written_or_sent_makes_the_mapping_raise(data: st.DataObject) -> None:
    names = ("event", "user_id", "anonymous_id", "email", "message_id", "time", "only_when")
    places: dict[str, Any] = {name: data.draw(PLACES) for name in names}
    mapping = Mapping(
        **places,
        is_one_of=["1", "a"],
        whole_body=data.draw(st.booleans()),
        properties=[PropertyRow(name="p", place=data.draw(PLACES)), PropertyRow(name="q", place=data.draw(PLACES))],
    )
    compiled, _ = compile_mapping(mapping)
    keyed = st.dictionaries(st.sampled_from(["a", "b", "x"]), JSON, min_size=1)
    body = json.dumps(data.draw(keyed | st.lists(JSON))).encode()
    try:
        payload = read_payload(body)
    except WireError:
        return
    mapped = run(compiled, payload, {"x-a": data.draw(st.text(max_size=10))})
    assert mapped.result in Result


@given(body=st.binary(max_size=60) | st.binary(max_size=60).map(lambda raw: b"payload=" + raw))
def test_no_body_makes_the_reader_raise_anything_but_its_error(body: bytes) -> None:
    with contextlib.suppress(WireError):
        assert isinstance(read_payload(body), dict | list)


def test_text_that_cannot_be_stored_is_mended() -> None:
    payload = read_payload(rb'{"a": "x\u0000y", "b": "\ud83d", "c": "\ud83c\udf89", "d": NaN, "e": "\\u0000"}')
    assert payload == {"a": "xy", "b": "\ufffd", "c": "🎉", "d": None, "e": "\\u0000"}


@pytest.mark.parametrize("mark", ["%2C", "%2c", ","])
def test_what_a_form_holds_is_counted_however_it_is_written(mark: str) -> None:
    body = f"payload=[{mark.join(['1'] * 20)}]".encode()
    assert len(read_payload(body)) == 20
    assert count_values(body) >= 20
