"""Which wait an event belongs to."""

from typing import Any

import pytest

from triggers.rules.definition import Abandonment
from triggers.rules.wait_key import read_wait_key


@pytest.mark.parametrize(
    ("path", "properties", "key"),
    [
        ("cart_id", {"cart_id": "c-1"}, "c-1"),
        ("cart_id", {"cart_id": 12345}, "12345"),
        ("cart_id", {"cart_id": "12345"}, "12345"),
        ("cart.id", {"cart": {"id": 7}}, "7"),
        ("cart_id", {}, ""),
        ("cart_id", {"cart_id": None}, ""),
        ("cart_id", {"cart_id": ["c-1"]}, ""),
        (None, {"cart_id": "c-1"}, ""),
    ],
)
def test_the_key_is_a_text(path: str | None, properties: dict[str, Any], key: str) -> None:
    assert read_wait_key(Abandonment(started_by="a", ended_by="b", key=path), properties) == key
