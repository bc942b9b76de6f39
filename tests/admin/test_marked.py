"""The failing field, marked in the payload."""

import json
from typing import Any

import pytest

from tracking.admin.marked import list_lines, mark_field

PAYLOAD: dict[str, Any] = {"event": "x", "properties": {"price": "5 €", "items": [{"id": 1}, {"id": "b"}]}}


def marked(field: str, value: Any = PAYLOAD) -> list[str]:
    return [line.text.strip() for line in list_lines(value, field) if line.is_marked]


@pytest.mark.parametrize(
    ("field", "lines"),
    [
        ("properties.price", ['"price": "5 €",']),
        ("properties.items[1].id", ['"id": "b"']),
        ("properties.items[0]", ["{", '"id": 1', "},"]),
        ("properties.coupon", ['"coupon": … is missing']),
        ("properties.cart.id", ['"cart": … is missing']),
        ("user_id", ['"user_id": … is missing']),
        ("event", ['"event": "x",']),
        ("", []),
        ("properties.items[7].id", []),
    ],
)
def test_the_place_is_marked_or_said_to_be_missing(field: str, lines: list[str]) -> None:
    assert marked(field) == lines


def test_the_lines_are_the_payload() -> None:
    assert "\n".join(line.text for line in list_lines(PAYLOAD, "properties.price")) == json.dumps(
        PAYLOAD, indent=2, ensure_ascii=False
    )


def test_markup_in_a_payload_stays_text() -> None:
    shown = mark_field('{"event": "<script>alert(1)</script>"}', "event")

    assert "<script>" not in shown
    assert mark_field("<b>no json", "event") == "<pre>&lt;b&gt;no json</pre>"


@pytest.mark.parametrize("depth", [100, 300, 900])
def test_what_is_nested_without_end_is_shown_to_a_depth(depth: int) -> None:
    shown = mark_field('{"a": ' + "[" * depth + "]" * depth + "}", "a")
    assert "nested deeper than is shown" in shown
    assert shown.count("\n") < 200


def test_half_a_surrogate_pair_can_be_shown() -> None:
    text = r'{"a": "\ud800", "\udfff": 1}'
    assert "?" in mark_field(text, "b").encode().decode()
