"""What is nearly JSON is mended and not refused: for a refused request clients drop, or repeat, a whole batch."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.wire.body import read_any
from tracking.wire.mending import mend

PIECES = st.sampled_from(
    ["\ud83c", "\udf89", "\ud800", "🎉", "é", "a", "\\", '"', "\\ud83c", "NaN", "Infinity", "1e9999"]
)
TEXTS = st.lists(PIECES, max_size=6).map("".join)
VALUES = st.recursive(
    TEXTS | st.floats() | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (rb'"\ud83c"', "\ufffd"),
        (rb'"\ud83c\udf89\ud83c"', "🎉\ufffd"),
        (rb'"\uDF89\uD83C"', "\ufffd\ufffd"),
        (rb'"\\ud83c \\\ud83c"', "\\ud83c \\\ufffd"),
        (b'"\xed\xa0\xbc\xed\xbe\x89 \xed\xa0\xbc"', "🎉 \ufffd"),
        (b'"\xff"', "\ufffd"),
        (rb'"\ud83c\u0000\\u0000"', "\ufffd\\u0000"),
        (rb'["NaN", "\"NaN", NaN, -Infinity, "Infinity"]', ["NaN", '"NaN', None, None, "Infinity"]),
        (b"[1e999, -1e999, 1e-999, 1.5, -0, NaN]", [None, None, 0.0, 1.5, 0, None]),
        (b"[" + b"9" * 5_000 + b",-" + b"9" * 5_000 + b"]", [None, None]),
        (b"[-" + b"9" * 4_300 + b",-" + b"9" * 4_299 + b"]", [None, -int("9" * 4_299)]),
        (b"[" + b"9" * 400 + b",NaN]", [int("9" * 400), None]),
    ],
)
def test_what_cannot_be_stored_is_mended(body: bytes, value: Any) -> None:
    assert read_any(body) == value


@given(VALUES, st.booleans())
def test_whatever_is_mended_is_what_the_standard_library_would_read(value: Any, is_ascii: bool) -> None:
    body = json.dumps(value, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    whole = json.dumps(json.loads(body, parse_constant=lambda _: None), ensure_ascii=False)
    expected = json.loads(whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))

    assert json.loads(mend(body)) == expected


@pytest.mark.parametrize("rest", [b'"t":"' + b'\\"' * 700_000 + b'"', b",".join([b'"k":"v"'] * 140_000)])
def test_numbers_are_mended_however_many_quotes_there_are(rest: bytes) -> None:
    assert read_any(b'{"n":NaN,' + rest + b"}")["n"] is None


def test_what_is_no_json_is_not_searched_for_numbers() -> None:
    before = time.thread_time()
    mend(b"1 " * 2_400_000)
    assert time.thread_time() - before < 0.5


def test_pieces_part_no_character() -> None:
    for start in range(65_530, 65_540):
        text = b"x" * start + b"\xed\xa0\xbc\xed\xbe\x89" + "é🎉".encode() * 20_000 + b"y\xff"
        assert mend(text).decode() == "x" * start + "🎉" + "é🎉" * 20_000 + "y\ufffd"


@given(st.binary(max_size=60))
def test_whatever_comes_is_mended_without_a_failure(body: bytes) -> None:
    mend(body)
