"""How a request of Mixpanel's clients is packed: a form, in the address or the body, or plain JSON. Pure.

Headers are not believed: a page that is left sends its form as text, and a proxy may have compressed anything.
"""

import base64
import binascii
from typing import Any

import msgspec

from tracking.wire.body import inflate, read_any
from tracking.wire.form import find_field, read_form
from tracking.wire.request import WireError, WireRequest

_JSON = (b"{", b"[")
_URL_SAFE = bytes.maketrans(b"-_ ", b"+/+")


class Unread(msgspec.Struct, frozen=True):
    """A line that is no JSON."""

    line: str


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """What a request holds: its items as they came, and the fields beside them."""

    items: list[Any]
    fields: dict[str, bytes]


def open_parcel(request: WireRequest) -> Parcel:
    """Return what a request holds; raises WireError when it cannot be read at all."""
    fields = read_form(request.query.encode())
    body = inflate(request.body)
    if is_json(body):
        return Parcel(items=_read_items(body), fields=fields)
    fields = read_form(body) | fields
    if "data" not in fields:
        raise WireError(400, "no_events", "Give the events as JSON, or as the field `data` of a form.", "data")
    return Parcel(items=_read_items(_decode(fields.pop("data"))), fields=fields)


def is_json(body: bytes) -> bool:
    """Whether a body is JSON, rather than a form."""
    return body.lstrip()[:1] in _JSON


def asks_for(request: WireRequest, name: str) -> bool:
    """Whether a request carries a field, in its address or its form, that is set to 1 (or true)."""
    value = find_field(request.query.encode(), name)
    if value is None and request.method == "POST":
        value = find_field(_inflate_leniently(request.body), name)
    return value in (b"1", b"true")


def _inflate_leniently(body: bytes) -> bytes:
    try:
        return inflate(body)
    except WireError:
        return b""


def _decode(data: bytes) -> bytes:
    """Return the JSON of a form's `data`: as it is, or in base64, whose plus sign a form may have made a space."""
    data = inflate(data)
    if is_json(data):
        return data
    packed = data.translate(_URL_SAFE, b"=\r\n")
    try:
        return inflate(base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True))
    except binascii.Error:
        raise WireError(400, "invalid_data", "`data` is neither JSON nor base64.", "data") from None


def _read_items(text: bytes) -> list[Any]:
    """Return the items of JSON: a list, one alone, or one a line."""
    try:
        value = read_any(text)
    except WireError as error:
        if error.code != "invalid_json" or b"\n" not in text.strip():
            raise
        value = [_read_line(line) for line in text.splitlines() if line.strip()]
    return value if isinstance(value, list) else [value]


def _read_line(line: bytes) -> Any:
    try:
        return read_any(line)
    except WireError:
        return Unread(line.decode("utf-8", "replace"))
