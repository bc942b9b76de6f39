"""How PostHog's libraries pack a body: JSON, gzip under any header, a form of base64. Pure."""

import base64
import binascii
from typing import Any

from tracking.schema.validate import MAX_BODY
from tracking.wire.body import inflate, read_any
from tracking.wire.form import find_field
from tracking.wire.request import WireError

_JSON = (b"{", b"[")


def unpack(body: bytes) -> dict[str, Any]:
    """Return the object that a body is; a list of events as the batch that it means. Raises WireError."""
    plain = inflate(body).lstrip()
    if plain[:1] not in _JSON:
        plain = inflate(_read_form(plain))
    whole = read_any(plain)
    if isinstance(whole, list):
        return {"batch": whole}
    if not isinstance(whole, dict):
        raise WireError(400, "invalid_json", "The body must be a JSON object or a list of events.")
    return whole


def _read_form(form: bytes) -> bytes:
    text = find_field(form, "data")
    if text is None:
        message = f"The body is neither JSON nor a form, of at most {MAX_BODY} bytes, with a field named data."
        raise WireError(400, "invalid_json", message)
    if text[:1] in _JSON:
        return text
    try:
        # Some do not escape the plus signs of base64, which a form then reads as blanks.
        return base64.b64decode(text.replace(b" ", b"+") + b"==")
    except binascii.Error:
        raise WireError(400, "invalid_base64", "The form's data is no base64.", "data") from None
