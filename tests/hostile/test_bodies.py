"""Bodies made to harm: each is answered below 500, with a code, and without filling the memory."""

import base64
import gzip
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from django.test import Client

from tests.hostile.corpus import REPORTING
from tests.hostile.memory import MAX_GROWTH, watch_memory
from tracking.models import Event, Quarantined
from tracking.sources import SourceKeys, create_source

MEGABYTE = 1_000_000
MOST = 5 * MEGABYTE
"""What any address takes, as it is sent."""
READERS = (
    "/track-event",
    "/v1/events",
    "/v1/identify",
    "/v1/alias",
    "/v1/track",
    "/v1/batch",
    "/track",
    "/engage",
    "/import",
    "/mp/collect",
    "/debug/mp/collect",
    "/g/collect",
    "/batch",
    "/flags",
)
"""An address of each function that reads bodies."""


def pack(body: bytes) -> bytes:
    return gzip.compress(body, 9)


def nest(depth: int, left: bytes = b'{"a":', right: bytes = b"}") -> bytes:
    return left * depth + b"1" + right * depth


def name_many(count: int) -> bytes:
    return b"{" + b",".join(b'"%d":1' % number for number in range(count)) + b"}"


def wrap(value: bytes) -> bytes:
    """An event in the words of several dialects at once, whose properties are `value`: it stands there six times."""
    item = b'{"event":"a","name":"a","type":"track","userId":"u","distinct_id":"u","properties":%s,"params":%s}'
    filled = item % (value, value)
    return b'{"batch":[%s],"events":[%s],"client_id":"c","data":%s}' % (filled, filled, filled)


def batch(text: bytes) -> bytes:
    """As many events as fit, in the words of PostHog, which takes more than the others."""
    event = b'{"event":"a","distinct_id":"u","properties":{"t":"%s"}}' % text
    return b'{"batch":[%s]}' % b",".join([event] * (165))


@cache
def _bomb() -> bytes:
    """About a megabyte that inflates to a gigabyte."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    # After a full flush a block stands alone, and can be repeated without packing it again.
    first, again = (packer.compress(b"\0" * MEGABYTE) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + again * 999 + packer.flush()


BODIES: dict[str, Callable[[], bytes]] = {
    "a gzip that inflates to a gigabyte": _bomb,
    "a zlib that inflates to 200 megabytes": lambda: zlib.compress(b"[" * 200 * MEGABYTE, 9),
    "a bomb within a form": lambda: b"data=" + base64.b64encode(_bomb()[:700_000]),
    "a compressed body cut short": lambda: pack(wrap(b"{}"))[:-9],
    "half a million brackets": lambda: b"[" * 500_000,
    "objects nested 100,000 deep": lambda: nest(100_000),
    "lists nested 100,000 deep within an event": lambda: wrap(nest(100_000, b"[", b"]")),
    "objects nested 500 deep within an event": lambda: wrap(nest(500)),
    "a number of 900,000 digits": lambda: wrap(b'{"n":' + b"9" * 900_000 + b"}"),
    "a number beyond all bounds": lambda: wrap(b'{"n":1e999999,"m":-1e400,"k":' + b"1" * 400 + b"}"),
    "not a number": lambda: wrap(b'{"n":NaN,"m":-Infinity}'),
    "100,000 names": lambda: name_many(100_000)[:MEGABYTE],
    "a million names, compressed": lambda: pack(name_many(1_000_000)),
    "names within an event, compressed": lambda: pack(wrap(name_many(80_000))),
    "300,000 empty objects": lambda: b"[" + b",".join([b"{}"] * 300_000) + b"]",
    "a batch of 100,000 nothings": lambda: b'{"batch":[' + b",".join([b"0"] * 100_000) + b'],"events":[]}',
    "a text of a megabyte": lambda: wrap(b'{"t":"' + b"x" * (MEGABYTE // 3) + b'"}'),
    "escapes for a megabyte": lambda: wrap(b'{"t":"' + b"\\u0041" * (MEGABYTE // 20) + b'"}'),
    "bad UTF-8": lambda: wrap(b'{"t":"\xff\xfe\xed\xa0\xbc"}'),
    "half a surrogate pair, and U+0000": lambda: wrap(b'{"t":"\\ud83c","\\u0000":"a\\u0000b"}'),
    "the same name 100,000 times": lambda: b"{" + b",".join([b'"a":1'] * 100_000) + b"}",
    "200,000 fields of a form": lambda: b"data=1" + b"&data=1" * 130_000,
    "a form of percent signs": lambda: b"data=" + b"%" * 900_000,
    "a form of escapes": lambda: b"data=" + b"%41" * 300_000,
    "400,000 empty lines": lambda: b"en=a\n" + b"\n" * 400_000,
    "100,000 lines of hits": lambda: b"\r\n".join([b"en=a"] * 100_000),
    "base64 of brackets": lambda: b"data=" + base64.b64encode(b"[" * 600_000),
    "five megabytes of text in many events": lambda: batch(b"x" * 30_000),
    "five megabytes of odd text in many events": lambda: batch(b"\\u0000" + "🎉".encode() + b"x" * 30_000),
    "five megabytes of base64": lambda: b"data=" + base64.b64encode(batch(b"x" * 22_000)),
    "five megabytes of escapes": lambda: b"data=" + b"%41" * (MOST // 3 - 10),
    "five megabytes of escapes, compressed": lambda: pack(b"data=" + b"%41" * (MOST // 3 - 10)),
    "nothing": lambda: b"",
    "a lone byte": lambda: b"\x00",
    "text": lambda: b"hello",
    "null": lambda: b"null",
    "a list of null": lambda: b"[null]",
    "a magic number and no more": lambda: b"\x1f\x8b",
}


@pytest.fixture(scope="module")
def bodies() -> dict[str, bytes]:
    return {name: make() for name, make in BODIES.items()}


@pytest.fixture
def keys(log: None) -> SourceKeys:
    return create_source("Shop")[1]


def send(path: str, body: bytes, keys: SourceKeys) -> Any:
    query = f"?measurement_id={keys.write_key}&tid={keys.write_key}&token={keys.write_key}"
    headers = {"x-write-key": keys.write_key, "content-encoding": "gzip"}
    return Client().post(path + query, body, content_type="text/plain", headers=headers)


@pytest.mark.parametrize("path", READERS)
def test_no_body_brings_an_address_down_or_fills_the_memory(
    path: str, keys: SourceKeys, bodies: dict[str, bytes]
) -> None:
    grown = {}
    for name, body in bodies.items():
        with watch_memory() as read_growth:
            answer = send(path, body, keys)
        assert answer.status_code < 500, (name, answer.content[:300])
        if answer.status_code >= 400 and answer["Content-Type"] == "application/json":
            assert has_code(answer.json()), (name, answer.content[:300])
        grown[name] = read_growth()
    assert {name: growth for name, growth in grown.items() if growth > MAX_GROWTH} == {}
    assert all(len(row.payload) <= 32 * 1024 for row in Quarantined.objects.filter(is_held=False)[:100])


@pytest.mark.parametrize("path", ["/v1/events", "/v1/identify", "/v1/batch", "/track", "/mp/collect", "/batch"])
def test_no_depth_is_too_deep_for_the_stack(path: str, keys: SourceKeys) -> None:
    # Between what is read and what is not lies what is read and can barely be written.
    for depth in range(880, 1_000):
        answer = send(path, wrap(nest(depth)), keys)
        assert answer.status_code < 500, depth


@pytest.mark.parametrize("depth", [20, 100, 1_200, 50_000])
@pytest.mark.parametrize(
    ("path", "batch", "good", "bad"),
    [
        (
            "/v1/events",
            b'{"events":[%s]}',
            b'{"event":"a","user_id":"u"}',
            b'{"event":"b","user_id":"u","properties":{"p":%s}}',
        ),
        (
            "/v1/batch",
            b'{"batch":[%s]}',
            b'{"type":"track","event":"a","userId":"u"}',
            b'{"type":"track","event":"b","userId":"u","properties":{"p":%s}}',
        ),
        (
            "/track",
            b"[%s]",
            b'{"event":"a","properties":{"distinct_id":"u"}}',
            b'{"event":"b","properties":{"distinct_id":"u","p":%s}}',
        ),
        (
            "/batch",
            b'{"batch":[%s]}',
            b'{"event":"a","distinct_id":"u"}',
            b'{"event":"b","distinct_id":"u","properties":{"p":%s}}',
        ),
        (
            "/mp/collect",
            b'{"client_id":"c","events":[%s]}',
            b'{"name":"a"}',
            b'{"name":"b","params":{"p":%s}}',
        ),
    ],
)
def test_what_is_nested_too_deep_fails_alone(
    path: str, batch: bytes, good: bytes, bad: bytes, depth: int, keys: SourceKeys
) -> None:
    answer = send(path, batch % b",".join([good, bad % nest(depth), good]), keys)
    assert answer.status_code < 300 or path == "/track"
    assert list(Event.objects.values_list("name", flat=True)) == ["a", "a"]
    assert Quarantined.objects.get().code == "too_deep"


def test_these_addresses_are_there() -> None:
    assert set(READERS) <= set(REPORTING)


def has_code(told: Any) -> bool:
    """Whether an answer says what was wrong, in the words of its dialect."""
    if not isinstance(told, dict):
        return told in (0, 1)
    return any(told.get(name) for name in ("code", "results", "rejected", "error", "failed_records", "detail"))
