"""Paths: what they find, and that none takes long."""

import time

import pytest

from tracking.wire.hooks.map_payload import MAX_LOOKS, Arrived, Result, map_payload
from tracking.wire.hooks.mapping import Mapping, PropertyRow, compile_mapping
from tracking.wire.hooks.places import MAX_FOUND, PathPlace, PlaceError, find_all, parse_path, parse_place


@pytest.mark.parametrize(
    "text",
    [
        "$..a..b",
        "$[0,1]",
        "$['a','a']",
        "$[?@.a[?@.b]]",
        "$[?@..a]",
        "$[?@.*]",
        "$[?@.a==1][?@.b==1]",
        "$[?match(@.a, '(a+)+b')]",
        "$[?search(@.a, '(a+)+b')]",
        "$[?length(@.a) > 1]",
        "$[?count(@..*) > 1]",
        "$.a|$.b",
        "$.a =~ /x/",
        "$.__class__.__mro__[",
        "$." + ".".join("a" * 17),
        "$" + "[?@" * 90,
        "$[?@.a==1e999]",
        "$.a" * 101,
    ],
)
def test_what_could_take_long_or_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(PlaceError):
        parse_path(text)


def test_a_path_is_compiled_once() -> None:
    assert parse_path("$.a.b[0]") is parse_path("$.a.b[0]")


def test_a_plain_path_is_followed_without_a_search() -> None:
    place = parse_place("$['a b'].c[-1]")
    assert isinstance(place, PathPlace)
    assert place.steps == ("a b", "c", -1)
    assert find_all(place, {"a b": {"c": [1, 2]}}) == [2]
    assert find_all(place, {"a b": {"c": {"-1": 1}}}) == []


def test_a_search_gives_a_bounded_list() -> None:
    assert len(find_all(parse_path("$..a"), [{"a": number} for number in range(5_000)])) == MAX_FOUND


def test_a_payload_nested_too_deep_is_an_error_and_no_crash() -> None:
    payload: list[object] = []
    for _ in range(500):
        payload = [payload]
    with pytest.raises(PlaceError):
        find_all(parse_path("$..a"), payload)


@pytest.mark.slow
def test_the_worst_mapping_on_the_worst_payload_is_refused_or_done_in_seconds() -> None:
    places = ("$..*", "$..[?@.a > 1]", "$..[*]", "$..[?@.a == $.b && !@.c]")
    payload = [{"a": [{"b": number}]} for number in range(1, 40_001)]
    for amount in (1, 3, 4, 100):
        properties = [PropertyRow(name=f"p{number}", place=places[number % 4]) for number in range(amount)]
        compiled, errors = compile_mapping(Mapping(event="x", user_id="$[0].a[0].b", properties=properties))
        assert errors == []
        arrived = Arrived(payload=payload, headers={}, values=160_000, fingerprint="f")
        before = time.thread_time()
        mapped = map_payload(compiled, arrived, hook="h", name="n")
        assert time.thread_time() - before < 15
        assert (mapped.result is Result.EVENT) == (compiled.searches * 160_000 <= MAX_LOOKS) == (amount < 4)


def test_a_condition_weighs_as_much_as_it_has_to_compare() -> None:
    many = " || ".join(f"@.a=={number}" for number in range(22))
    paths = ("$.a[0]", "$..a", "$.a[*]", "$..[?@.a]", "$..[?@.a > 1]", "$.a[?!(@.b.c == 1 && @.d)]", f"$..[?{many}]")
    assert [parse_path(path).weight for path in paths] == [0, 1, 1, 2, 3, 4, 45]
