"""A webhook's body as the value that a mapping looks at. Pure."""

from typing import Any
from urllib.parse import parse_qs

from tracking.wire.body import read_any
from tracking.wire.request import WireError

MAX_PAYLOAD = 1_000_000
"""Bytes of a payload, also once it is inflated."""

_FORM = b"payload="
_MARKS = (b",", b"[", b"{", b"%2C", b"%2c", b"%5B", b"%5b", b"%7B", b"%7b")


def read_payload(body: bytes) -> dict[str, Any] | list[Any]:
    """Return a body's JSON: an object or a list; a form's field `payload`, as GitHub sends it, is looked into.

    Raises WireError. What PostgreSQL cannot store is mended, as in `read_any`: nobody can make a foreign system send it
    otherwise.
    """
    if body.startswith(_FORM):
        fields = parse_qs(body.decode("utf-8", "replace"))
        body = fields.get("payload", [""])[0].encode("utf-8", "replace")
    value = read_any(body)
    if not isinstance(value, dict | list):
        raise WireError(400, "invalid_json", "A payload is a JSON object or a list.")
    return value


def count_values(body: bytes) -> int:
    """Return a bound of how many values a body holds: one look at the bytes, as they are and as a form writes them."""
    return 1 + sum(body.count(mark) for mark in _MARKS)
