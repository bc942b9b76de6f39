from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.traits import (
    MAX_BYTES,
    MAX_LIST_BYTES,
    MAX_LIST_VALUES,
    MAX_NUMBER,
    MAX_PUBLIC_BYTES,
    OPERATORS,
    Known,
    apply_statement,
    join,
    learn,
)

KNOWN: dict[str, Any] = {"plan": "free", "visits": 3, "tags": ["a", "b", "a"], "nick": None}


@pytest.mark.parametrize(
    ("said", "changed"),
    [
        ({"traits": {"plan": "pro"}}, {"plan": "pro"}),
        ({"set_once": {"plan": "pro", "first": "x", "nick": "ada", "nothing": None}}, {"first": "x", "nick": "ada"}),
        ({"add": {"visits": 2, "new": 1.5, "nick": 1}}, {"visits": 5, "new": 1.5, "nick": 1}),
        ({"append": {"tags": "a", "new": [1]}}, {"tags": ["a", "b", "a", "a"], "new": [[1]]}),
        ({"union": {"tags": ["c", "b", "c"], "new": ["x", "x"]}}, {"tags": ["a", "b", "a", "c"], "new": ["x"]}),
        ({"union": {"tags": "c"}}, {"tags": ["a", "b", "a", "c"]}),
        ({"remove": {"tags": "a", "unknown": 1}}, {"tags": ["b"]}),
        ({"traits": {"plan": "pro"}, "append": {"log": "then"}, "unset": ["nick"]}, {"plan": "pro", "log": ["then"]}),
    ],
)
def test_each_operator_does_what_its_name_says(said: dict[str, Any], changed: dict[str, Any]) -> None:
    expected = KNOWN | changed
    for name in said.get("unset", []):
        del expected[name]
    assert apply_statement(deepcopy(KNOWN), said) == expected


@pytest.mark.parametrize(
    "said",
    [
        {"add": {"plan": 1}},
        {"add": {"visits": "1"}},
        {"add": {"visits": True}},
        {"add": {"visits": MAX_NUMBER}},
        {"append": {"plan": "x"}},
        {"union": {"plan": ["x"]}},
        {"union": {"tags": ["a"]}},
        {"remove": {"plan": "free"}},
        {"unset": ["unknown"]},
        {"unset": {"plan": 1}},
        {"traits": ["plan"]},
        {"traits": None, "add": 5, "append": "x"},
    ],
)
def test_what_does_not_fit_leaves_everything_as_it_is(said: dict[str, Any]) -> None:
    traits = deepcopy(KNOWN)
    assert apply_statement(traits, said) is traits
    assert traits == KNOWN


def test_true_is_not_one() -> None:
    assert apply_statement({"tags": [1]}, {"union": {"tags": [True]}}) == {"tags": [1, True]}
    assert apply_statement({"tags": [1, True]}, {"remove": {"tags": True}}) == {"tags": [1]}


def test_a_list_keeps_its_latest_values() -> None:
    numbers = {"seen": list(range(MAX_LIST_VALUES))}
    seen = apply_statement(numbers, {"append": {"seen": "last"}})["seen"]
    assert (len(seen), seen[0], seen[-1]) == (MAX_LIST_VALUES, 1, "last")
    texts = {"seen": ["x" * 10_000] * 3}
    seen = apply_statement(texts, {"append": {"seen": "y" * 10_000}})["seen"]
    assert [text[0] for text in seen] == ["x", "x", "y"]
    assert len(msgspec.json.encode(seen)) <= MAX_LIST_BYTES


def say(number: int, size: int = 30_000) -> dict[str, Any]:
    return {"traits": {f"junk{number}": "x" * size}}


def test_a_person_does_not_grow_without_end_and_may_shrink() -> None:
    large = Known({str(number): "x" * 30_000 for number in range(8)})
    assert learn(large, say(9)) is None
    larger = Known(large.traits | {"9": "x" * MAX_BYTES})
    assert learn(larger, {"unset": ["9"]}) == large


def test_what_pages_say_has_a_share_of_its_own() -> None:
    known = Known({"plan": "free"})
    for number in range(9):
        known = learn(known, say(number), is_public=True) or known
    assert known.public == {"junk0", "junk1"}
    assert learn(known, {"traits": {"plan": "pro"}}, is_public=True) == Known(
        known.traits | {"plan": "pro"}, known.public | {"plan"}
    )
    told = {"email": "real@shop.example", "plan": "pro"}
    assert learn(known, {"traits": told}) == Known(known.traits | told, known.public)


def test_a_trait_counts_to_the_share_of_who_gave_it_its_value() -> None:
    by_page = learn(Known(), {"traits": {"plan": "pro"}}, is_public=True)
    assert by_page is not None
    assert by_page.public == {"plan"}
    by_server = learn(by_page, {"traits": {"plan": "pro"}})
    assert by_server == Known({"plan": "pro"})
    assert learn(by_server, {"traits": {"plan": "pro"}}, is_public=True) is by_server
    assert learn(by_page, {"unset": ["plan"]}, is_public=True) == Known()


@given(sizes=st.lists(st.integers(0, 40_000), max_size=12), size=st.integers(0, 200_000))
def test_a_servers_word_fits_whatever_pages_said(sizes: list[int], size: int) -> None:
    known = Known()
    for number, one in enumerate(sizes):
        known = learn(known, say(number, one), is_public=True) or known
    assert len(msgspec.json.encode(known.traits)) <= MAX_PUBLIC_BYTES
    learned = learn(known, {"traits": {"bio": "x" * size}})
    assert learned is not None
    assert learned.traits["bio"] == "x" * size


def test_what_pages_said_keeps_no_operator_of_a_server_from_its_work() -> None:
    junk = {
        "credits": "x",
        "points": MAX_NUMBER,
        "tags": "x",
        "segments": "x",
        "plan": "junk",
        "visits": 3,
        "seen": ["a"],
    }
    known = learn(Known(), {"traits": junk}, is_public=True)
    assert known is not None
    said = {
        "set_once": {"plan": "pro"},
        "add": {"credits": 5, "points": 5, "visits": 1},
        "append": {"tags": "vip"},
        "union": {"segments": ["a"], "seen": ["a", "b"]},
    }

    after = learn(known, said)

    assert after is not None
    assert after.public == frozenset()
    assert after.traits == {
        "credits": 5,
        "points": 5,
        "tags": ["vip"],
        "segments": ["a"],
        "plan": "pro",
        "visits": 4,
        "seen": ["a", "b"],
    }
    assert learn(known, said, is_public=True).traits["plan"] == "junk"  # type: ignore[union-attr]


def test_what_a_device_brings_is_bounded_too_and_the_persons_own_counts() -> None:
    own = Known({"plan": "pro", "page": "x" * 60_000}, frozenset({"page"}))
    brought = Known({"plan": "free", "junk": "x" * 60_000, "score": 5}, frozenset({"plan", "junk"}))
    assert join(own, brought) == (Known(own.traits | {"score": 5}, own.public), False)
    little = Known({"nick": "a", "plan": "free"}, frozenset({"nick", "plan"}))
    assert join(own, little) == (Known(own.traits | {"nick": "a"}, own.public | {"nick"}), True)


@pytest.mark.parametrize(
    "said",
    [
        {"traits": {"email": "evil@example.com"}},
        {"traits": {"email": None}},
        {"set_once": {"email": "evil@example.com"}},
        {"add": {"email": 1}},
        {"append": {"email": "evil@example.com"}},
        {"union": {"email": ["evil@example.com"]}},
        {"remove": {"email": "ada@example.com"}},
        {"unset": ["email"]},
    ],
)
@pytest.mark.parametrize("email", ["ada@example.com", ["ada@example.com"], 5])
def test_an_address_that_is_kept_is_kept_from_every_operator(said: dict[str, Any], email: Any) -> None:
    traits = {"email": email, "plan": "free"}
    assert apply_statement(traits, said | {"add": said.get("add", {}) | {"n": 1}}, keeps_email=True) == {
        "email": email,
        "plan": "free",
        "n": 1,
    }


def test_an_address_may_be_given_once_but_not_made_a_list_of() -> None:
    given_ = apply_statement({}, {"set_once": {"email": "ada@example.com"}}, keeps_email=True)
    assert given_ == {"email": "ada@example.com"}
    assert apply_statement({}, {"append": {"email": "ada@example.com"}}, keeps_email=True) == {}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
OPERANDS = st.dictionaries(st.sampled_from(["email", "a", "b", ""]), VALUES, max_size=4) | VALUES


@given(
    traits=st.dictionaries(st.sampled_from(["email", "a", "b"]), VALUES, max_size=3),
    said=st.dictionaries(st.sampled_from(["traits", *OPERATORS, "other"]), OPERANDS, max_size=5),
    keeps_email=st.booleans(),
)
def test_no_statement_raises_or_touches_what_it_is_given(
    traits: dict[str, Any], said: dict[str, Any], keeps_email: bool
) -> None:
    before, told = deepcopy(traits), deepcopy(said)
    changed = apply_statement(traits, said, keeps_email=keeps_email)
    assert (traits, said) == (before, told)
    assert not (keeps_email and traits.get("email")) or changed["email"] == traits["email"]
    msgspec.json.encode(changed)
