"""A body as it was meant: inflated under a cap, its JSON read leniently. Headers are not believed. Pure."""

import json
import math
import re
import zlib
from typing import Any

import msgspec

from tracking.wire.request import WireError

MAX_INFLATED = 5_000_000
MAX_VALUES = 150_000
"""Values that a body may hold: each takes some hundred bytes once it is read, however short it is on the wire."""

MAX_MEMBERS = 100
"""Files that a gzip may consist of: what follows each of them is copied once more."""

MAX_DEPTH_READ = 64
"""What is nested deeper is far beyond what an event may hold, and may be beyond what the stack holds."""

_TOKENS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{]|[\]}]', re.DOTALL)
_GZIP = b"\x1f\x8b"
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_NUL = re.compile(r"((?<!\\)(?:\\\\)*)\\u0000")
_NUL_BYTES = re.compile(_NUL.pattern.encode())
_decoder = msgspec.json.Decoder()


def inflate(body: bytes) -> bytes:
    """Return the body, inflated where its first bytes say gzip or zlib; raises WireError beyond MAX_INFLATED bytes."""
    if body[:2] == _GZIP:
        return _inflate(body, 31)
    return _inflate(body, 15) if body[:2] in _ZLIB else body


def _inflate(body: bytes, window: int) -> bytes:
    parts: list[bytes] = []
    room = MAX_INFLATED
    while body:
        if len(parts) == MAX_MEMBERS:
            raise WireError(400, "invalid_compression", f"A gzip consists of at most {MAX_MEMBERS} files.")
        stream = zlib.decompressobj(window)
        try:
            parts.append(stream.decompress(body, room + 1))
        except zlib.error as error:
            raise WireError(400, "invalid_compression", f"The compressed body is damaged: {error}.") from None
        room -= len(parts[-1])
        if room < 0:
            raise WireError(413, "body_too_large", f"An inflated body holds at most {MAX_INFLATED} bytes.")
        if not stream.eof:
            raise WireError(400, "invalid_compression", "The compressed body ends too early.")
        # A gzip file may consist of several; anything else after the end is padding.
        body = stream.unused_data if stream.unused_data[:2] == _GZIP else b""
    return b"".join(parts)


def read_whole(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body is; raises WireError. See `read_any`."""
    value = read_any(body)
    if not isinstance(value, dict):
        raise WireError(400, "invalid_json", "The body must be a JSON object.")
    return value


def read_any(body: bytes) -> Any:
    """Return the JSON value that a body is; raises WireError.

    What PostgreSQL cannot store is mended rather than refused, because clients repeat or drop whole batches: surrogates
    that were written one by one (CESU-8) become the character that they mean, what is left of them and bad UTF-8 become
    replacement characters, U+0000 goes, NaN and numbers beyond all bounds become null. Where it is nested too deep to
    be read, so much of it is read that the item in question is still too deep: it fails alone.
    """
    if _count_values(body) > MAX_VALUES:
        raise WireError(413, "too_many_values", f"A request holds at most {MAX_VALUES} values.")
    try:
        # In bytes, where a wide character makes not all the others wide: that would take ten times the body's size.
        return _decoder.decode(_NUL_BYTES.sub(rb"\1", body) if b"\\u0000" in body else body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return _mend(body)
    except RecursionError:
        pass
    try:
        return _mend(prune(body))
    except RecursionError:
        raise WireError(400, "too_deep", "The body is nested too deep.") from None


def prune(body: bytes) -> bytes:
    """Return JSON with null for each list and object that stands deeper than MAX_DEPTH_READ; one of too many values as
    it is."""
    if _count_values(body) + body.count(b'"') > 4 * MAX_VALUES:
        return body
    kept: list[bytes] = []
    depth = start = 0
    for token in _TOKENS.finditer(body):
        first = token[0][:1]
        if first in b"[{":
            depth += 1
            if depth == MAX_DEPTH_READ + 1:
                kept += [body[start : token.start()], b"null"]
        elif first in b"]}":
            if depth == MAX_DEPTH_READ + 1:
                start = token.end()
            depth -= 1
    return b"".join([*kept, body[start:]]) if depth == 0 else body


def _count_values(body: bytes) -> int:
    return body.count(b",") + body.count(b"[") + body.count(b"{")


def _mend(body: bytes) -> Any:
    """Raises WireError where it is no JSON, RecursionError where it is nested too deep."""
    try:
        value = json.loads(_decode_text(body), parse_constant=lambda _: None, parse_float=_read_float)
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return _decoder.decode(_NUL.sub(r"\1", whole))
    except (ValueError, msgspec.MsgspecError) as error:
        raise WireError(400, "invalid_json", f"The body is not JSON: {error}.") from None


def _decode_text(body: bytes) -> str:
    try:
        return body.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return body.decode("utf-8", "replace")


def _read_float(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None
