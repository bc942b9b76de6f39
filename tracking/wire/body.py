"""A body as it was meant: inflated under a cap, its JSON read leniently. Headers are not believed. Pure."""

import re
import zlib
from typing import Any

import msgspec

from tracking.wire.mending import count_values, mend, prune
from tracking.wire.request import WireError

MAX_INFLATED = 5_000_000
MAX_VALUES = 150_000
"""Values that a body may hold: each takes some hundred bytes once it is read, however short it is on the wire."""

MAX_MEMBERS = 100
"""Files that a gzip may consist of: what follows each of them is copied once more."""

_GZIP = b"\x1f\x8b"
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_NUL = re.compile(rb"((?<!\\)(?:\\\\)*+)\\u0000")
_decoder = msgspec.json.Decoder()


def inflate(body: bytes) -> bytes:
    """Return the body, inflated where its first bytes say gzip or zlib; raises WireError beyond MAX_INFLATED bytes."""
    if body[:2] == _GZIP:
        return _inflate(body, 31)
    return _inflate(body, 15) if body[:2] in _ZLIB else body


def is_packed(body: bytes) -> bool:
    """Return whether `inflate` would make more of a body."""
    return body[:2] == _GZIP or body[:2] in _ZLIB


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
    check_values(body)
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    mended = mend(body)
    try:
        return _decode_mended(mended)
    except RecursionError:
        pass
    try:
        return _decode_mended(prune(mended))
    except RecursionError:
        raise WireError(400, "too_deep", "The body is nested too deep.") from None


def check_values(body: bytes) -> None:
    """Raise WireError (413) for JSON of more than MAX_VALUES values, before any of them is made."""
    if len(body) > MAX_VALUES and count_values(body) > MAX_VALUES:
        raise WireError(413, "too_many_values", f"A request holds at most {MAX_VALUES} values.")


def _decode_mended(body: bytes) -> Any:
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError(400, "invalid_json", f"The body is not JSON: {error}.") from None


def _decode(body: bytes) -> Any:
    return _decoder.decode(_NUL.sub(rb"\1", body) if b"\\u0000" in body else body)
