"""JSON that is nearly right, mended as bytes before it is read. Pure.

As text one wide character makes all the others wide, and JSON that is read, written and read again stands in memory
several times over: a body of five megabytes would take a hundred.
"""

import math
import re
from collections.abc import Iterator
from itertools import islice

MAX_DEPTH_READ = 64
"""What is nested deeper is far beyond what an event may hold, and may be beyond what the stack holds."""

_MOST_DIGITS = 4_300
"""Of a whole number, its sign included: the parser reads no more."""

# What repeats never gives back: for what it might the engine would keep a hundred bytes each time.
_TEXT = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_BRACKETS = re.compile(_TEXT + rb"|[\[{]|[\]}]", re.DOTALL)
_NUMBERS = re.compile(_TEXT + rb"|NaN|-?Infinity|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.DOTALL)
_PIECES = re.compile(rb".{1,65536}[\x80-\xff]*+", re.DOTALL)
"""A piece ends before a character of one byte: no character, and no pair, stands in two of them."""
_HEX = rb"[0-9a-fA-F]{2}"
_SURROGATES = re.compile(
    rb"(?<!\\)(?:\\\\)*+(?:\\u[dD][89abAB]%b\\u[dD][c-fC-F]%b|(?P<lone>\\u[dD][89a-fA-F]%b))" % (_HEX, _HEX, _HEX)
)
_REPLACEMENT = rb"\ufffd"
_REPLACED = re.compile("\ufffd{2,}")


def mend(body: bytes) -> bytes:
    """Return JSON of which surrogates that were written one by one (CESU-8) are the character that they mean, what is
    left of them and each run of bad UTF-8 a replacement character, NaN and numbers beyond all bounds null."""
    return _mend_numbers(_mend_escapes(_mend_encoding(body)))


def prune(body: bytes) -> bytes:
    """Return JSON with null for each list and object that stands deeper than MAX_DEPTH_READ."""
    kept: list[bytes] = []
    depth = start = 0
    for token in _list_tokens(_BRACKETS, body):
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


def count_values(body: bytes) -> int:
    """Return about how many values JSON holds, and no less."""
    return len(body) - len(body.translate(None, b",[{"))


def _list_tokens(pattern: re.Pattern[bytes], body: bytes) -> Iterator[re.Match[bytes]]:
    """Find texts and what else the pattern names. What has more than two texts and two brackets for each value is no
    JSON, and need not be looked through."""
    return islice(pattern.finditer(body), 4 * count_values(body) + 1)


def _mend_encoding(body: bytes) -> bytes:
    return body if body.isascii() else b"".join([_mend_piece(piece[0]) for piece in _PIECES.finditer(body)])


def _mend_piece(piece: bytes) -> bytes:
    try:
        text = piece.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        # One for each byte would make three bytes of one, and a body three times as large as any may be.
        return _REPLACED.sub("\ufffd", piece.decode("utf-8", "replace")).encode()
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _mend_escapes(body: bytes) -> bytes:
    if rb"\u" not in body:
        return body
    mended = bytearray(body)
    for escape in _SURROGATES.finditer(body):
        if escape["lone"]:
            mended[escape.start("lone") : escape.end("lone")] = _REPLACEMENT
    return bytes(mended)


def _mend_numbers(body: bytes) -> bytes:
    kept: list[bytes] = []
    start = 0
    for token in _list_tokens(_NUMBERS, body):
        if body[token.start()] != _QUOTE and _is_beyond(token[0]):
            kept += [body[start : token.start()], b"null"]
            start = token.end()
    return b"".join([*kept, body[start:]]) if kept else body


_QUOTE = ord('"')


def _is_beyond(number: bytes) -> bool:
    digits = number.removeprefix(b"-")
    return len(number) > _MOST_DIGITS if digits.isdigit() else not math.isfinite(float(number))
