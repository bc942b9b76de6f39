"""A webhook's body as the value that a mapping looks at. Pure."""

import json
import re
from typing import Any
from urllib.parse import parse_qs

import msgspec

from tracking.wire.request import WireError

MAX_PAYLOAD = 1_000_000
"""Bytes of a payload, also once it is inflated."""

_FORM = b"payload="
_NUL = re.compile(r"((?<!\\)(?:\\\\)*)\\u0000")


def read_payload(body: bytes) -> dict[str, Any] | list[Any]:
    """Return a body's JSON: an object or a list; a form's field `payload`, as GitHub sends it, is looked into.

    What PostgreSQL cannot store is mended rather than refused, because nobody can make a foreign system send it
    otherwise: half surrogate pairs and bad UTF-8 become replacement characters, U+0000 goes, NaN becomes null. Raises
    WireError.
    """
    if body.startswith(_FORM):
        fields = parse_qs(body.decode("utf-8", "replace"))
        body = fields.get("payload", [""])[0].encode("utf-8", "replace")
    value = _decode(body)
    if not isinstance(value, dict | list):
        raise WireError(400, "invalid_json", "A payload is a JSON object or a list.")
    return value


def count_values(body: bytes) -> int:
    """Return a bound of how many values a body holds: one look at the bytes."""
    return 1 + body.count(b",") + body.count(b"[") + body.count(b"{") + body.count(b"%2C")


def _decode(body: bytes) -> Any:
    try:
        if b"\\u0000" not in body:
            return msgspec.json.decode(body)
    except RecursionError:
        raise WireError(400, "too_deep", "The body is nested too deep.") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    return _mend(body)


def _mend(body: bytes) -> Any:
    try:
        value = json.loads(body.decode("utf-8", "replace"), parse_constant=lambda _: None)
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return msgspec.json.decode(_NUL.sub(r"\1", whole))
    except RecursionError:
        raise WireError(400, "too_deep", "The body is nested too deep.") from None
    except (ValueError, msgspec.MsgspecError) as error:
        raise WireError(400, "invalid_json", f"The body is no JSON: {error}.") from None
