"""Forms as they come: in an address or in a body, whatever its Content-Type says. Pure."""

import re

from tracking.schema.validate import MAX_BODY
from tracking.wire.request import WireError, WireRequest

MAX_FIELDS = 100
_ESCAPED = re.compile(rb"%([0-9a-fA-F]{2})")
_DIGITS = "0123456789abcdefABCDEF"
_BYTES = {(left + right).encode(): bytes((int(left + right, 16),)) for left in _DIGITS for right in _DIGITS}
"""What each escape means, made once: a megabyte of escapes would take forty otherwise."""


def read_form(encoded: bytes) -> dict[str, bytes]:
    """Return the first value of each field of a form. Raises WireError (413) beyond MAX_BODY bytes, inflated ones too:
    what is escaped takes many times its size while it is read."""
    if len(encoded) > MAX_BODY:
        raise WireError(413, "body_too_large", f"A form holds at most {MAX_BODY} bytes.")
    fields: dict[str, bytes] = {}
    for pair in encoded.split(b"&", MAX_FIELDS)[:MAX_FIELDS]:
        name, _, value = pair.partition(b"=")
        fields.setdefault(_unquote(name).decode("utf-8", "replace"), _unquote(value))
    return fields


def find_field(encoded: bytes, name: str) -> bytes | None:
    """Return the first value of one field, without a look into the others; None in a form beyond MAX_BODY bytes."""
    if len(encoded) > MAX_BODY:
        return None
    start = name.encode() + b"="
    for pair in encoded.split(b"&", MAX_FIELDS)[:MAX_FIELDS]:
        if pair.startswith(start):
            return _unquote(pair[len(start) :])
    return None


def find_in_address(request: WireRequest, name: str) -> str | None:
    """Return the first value of a field of the address, None where it is empty."""
    found = find_field(request.query.encode(), name)
    return found.decode("utf-8", "replace") if found else None


def _unquote(text: bytes) -> bytes:
    """The standard library's way cuts the text at each percent sign: a megabyte of them would take 140."""
    return _ESCAPED.sub(lambda escaped: _BYTES[escaped[1]], text.replace(b"+", b" "))
