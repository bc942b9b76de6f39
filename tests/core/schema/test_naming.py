"""A name gets a suggestion and never a refusal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.schema.naming import find_hint, suggest_snake_case
from tracking.schema.paths import read_path, write_path


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("AddToCart", "add_to_cart"),
        ("Order Completed", "order_completed"),
        ("order.completed", "order_completed"),
        ("HTTPRequestSent", "http_request_sent"),
        ("page-view", "page_view"),
        ("__x", "x"),
    ],
)
def test_other_spellings_get_the_same_words_as_snake_case(name: str, suggestion: str) -> None:
    hint = find_hint(name)

    assert hint is not None
    assert hint.suggestion == suggestion


@pytest.mark.parametrize("name", ["order_completed", "purchase", "page_view", "cart_item_added", "session_ended"])
def test_a_good_name_is_left_alone(name: str) -> None:
    assert find_hint(name) is None


def test_our_own_example_is_told_the_other_order_without_a_new_name() -> None:
    hint = find_hint("add_to_cart")

    assert hint is not None
    assert hint.suggestion is None
    assert "Either is fine" in hint.message


@pytest.mark.parametrize("name", ["購入", "3ds", "!!!"])
def test_a_name_without_latin_words_gets_words_and_no_made_up_name(name: str) -> None:
    hint = find_hint(name)

    assert hint is not None
    assert hint.suggestion is None


@given(st.text(max_size=60))
def test_a_suggestion_needs_no_further_suggestion(name: str) -> None:
    suggestion = suggest_snake_case(name)

    assert suggestion is None or suggest_snake_case(suggestion) == suggestion


@given(st.text(min_size=1), st.lists(st.text(min_size=1) | st.integers(0, 99), max_size=4))
def test_a_path_that_was_written_can_be_read(name: str, steps: list[str | int]) -> None:
    assert read_path(write_path([name, *steps])) == [name, *steps]
