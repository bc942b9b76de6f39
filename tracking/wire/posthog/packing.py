"""How PostHog's libraries pack a body: JSON, gzip under any header, a form of base64. Pure."""

import base64
import binascii
from typing import Any
from urllib.parse import unquote_to_bytes

from tracking.wire.body import inflate, read_whole
from tracking.wire.request import WireError

_FIELD = b"data="


def unpack(body: bytes) -> dict[str, Any]:
    """Return the object that a body is; a list of events as the batch that it means. Raises WireError."""
    plain = inflate(body).lstrip()
    if plain[:1] not in (b"{", b"[") and plain:
        plain = inflate(_read_form(plain)).lstrip()
    return read_whole(b'{"batch":' + plain + b"}" if plain[:1] == b"[" else plain)


def _read_form(form: bytes) -> bytes:
    value = next((pair[len(_FIELD) :] for pair in form.split(b"&", 8) if pair.startswith(_FIELD)), None)
    if value is None:
        raise WireError(400, "invalid_json", "The body is neither JSON nor a form with a field named data.")
    # Some do not escape the plus signs of base64, which a form then reads as blanks.
    text = unquote_to_bytes(value)
    if text[:1] in (b"{", b"["):
        return unquote_to_bytes(value.replace(b"+", b" "))
    try:
        return base64.b64decode(text.replace(b" ", b"+") + b"==")
    except binascii.Error:
        raise WireError(400, "invalid_base64", "The form's data is no base64.", "data") from None
