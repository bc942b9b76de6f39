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

MAX_BATCH = 2_000

_JSON = (b"{", b"[")
_URL_SAFE = bytes.maketrans(b"-_ ", b"+/+")


class Unread(msgspec.Struct, frozen=True):
    """A line that is no JSON."""

    line: str


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """What a request holds: its items as they came, one alone or a batch, and the fields beside them.

    `is_in_address`: the items stood in its address.
    """

    items: list[Any]
    is_in_address: bool
    is_batch: bool
    fields: dict[str, bytes]


def open_parcel(request: WireRequest) -> Parcel:
    """Return what a request holds; raises WireError when it cannot be read at all."""
    fields = read_form(request.query.encode())
    body = inflate(request.body)
    if is_json(body):
        return _make_parcel(body, fields, is_in_address=False)
    is_in_address = "data" in fields
    fields = read_form(body) | fields
    if "data" not in fields:
        raise WireError(400, "no_events", "Give the events as JSON, or as the field `data` of a form.", "data")
    return _make_parcel(_decode(fields.pop("data")), fields, is_in_address=is_in_address)


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


def _make_parcel(text: bytes, fields: dict[str, bytes], *, is_in_address: bool) -> Parcel:
    value = _read_items(text)
    is_batch = isinstance(value, list)
    items = value if is_batch else [value]
    return Parcel(items=items, is_batch=is_batch, is_in_address=is_in_address, fields=fields)


def _read_items(text: bytes) -> Any:
    """Return what JSON holds: one item alone, or a list of them, which may stand one a line."""
    try:
        return read_any(text)
    except WireError as error:
        if error.code != "invalid_json" or b"\n" not in text.strip():
            raise
        if text.count(b"\n") > MAX_BATCH:
            raise WireError(413, "too_many_events", f"A request holds at most {MAX_BATCH} events.", "data") from None
        return [_read_line(line) for line in text.split(b"\n") if line.strip()]


def _read_line(line: bytes) -> Any:
    try:
        return read_any(line)
    except WireError:
        return Unread(line.decode("utf-8", "replace"))
