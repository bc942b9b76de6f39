"""Bodies as large as may be, in the words of each dialect, of what takes many times its size once it is read."""

import time
from collections.abc import Callable

import pytest

from tests.hostile.memory import MAX_GROWTH, watch_memory
from tests.hostile.test_bodies import MOST, pack, send
from tracking.models import Event
from tracking.sources import SourceKeys, create_source

WIDE = "🎉".encode()
LIMIT = MOST - 1_000
WORDS: dict[str, tuple[bytes, bytes]] = {
    "/v1/events": (b'{"events":[%s]}', b'{"event":"a","user_id":"u","properties":{"p":%s}}'),
    "/track-event": (b"%s", b'{"event":"a","user_id":"u","properties":{"p":%s}}'),
    "/v1/batch": (b'{"batch":[%s]}', b'{"type":"track","event":"a","userId":"u","properties":{"p":%s}}'),
    "/import": (b"[%s]", b'{"event":"a","properties":{"distinct_id":"u","p":%s}}'),
    "/engage": (b"[%s]", b'{"$distinct_id":"u","$set":{"p":%s}}'),
    "/mp/collect": (b'{"client_id":"c","events":[%s]}', b'{"name":"a","params":{"p":%s}}'),
    "/debug/mp/collect": (b'{"client_id":"c","events":[%s]}', b'{"name":"a","params":{"p":%s}}'),
    "/batch": (b'{"batch":[%s]}', b'{"event":"a","distinct_id":"u","properties":{"p":%s}}'),
}
"""How each dialect that is JSON says an event, around which a request is put: both have one place to fill."""
ODD = rb"\ud83c" + WIDE + b"\xed\xa0\xbc"
"""Halves of pairs, escaped and not, and a character that makes all of a text wide."""
VALUES: dict[str, Callable[[], bytes]] = {
    "one odd text, and what is no number": lambda: b'[NaN,1e999,-Infinity,"%s"]' % (ODD + b"x" * (LIMIT - 200)),
    "nothing but odd characters": lambda: b'"%s"' % (ODD * (LIMIT // len(ODD) - 20)),
    "nothing but escaped halves": lambda: b'["%s",NaN]' % (b"xx\\udf89" * (LIMIT // 8 - 20)),
    "nothing but escaped pairs, and half of one": lambda: b'["%s\\ud83c"]' % (b"\\ud83c\\udf89" * (LIMIT // 12 - 20)),
    "nothing but backslashes": lambda: b'["%s","\\u0000",NaN]' % (b"\\\\" * (LIMIT // 2 - 200)),
    "bad UTF-8": lambda: b'"%s"' % (b"\xff" * (LIMIT - 200)),
    "bad UTF-8 at every other place": lambda: b'"%s"' % (b"\xffx" * (LIMIT // 2 - 200)),
    "one wide character and one U+0000": lambda: b'"\\u0000%s"' % (WIDE + b"x" * (LIMIT - 200)),
    "plain text": lambda: b'"%s"' % (b"x" * (LIMIT - 200)),
    "empty objects": lambda: b"[" + b",".join([b"{}"] * (LIMIT // 3 - 50)) + b"]",
    "short texts": lambda: b"[" + b",".join([b'"ab"'] * (LIMIT // 5 - 50)) + b"]",
    "names": lambda: b"{" + b",".join([b'"%06d":1' % number for number in range(LIMIT // 11 - 50)]) + b"}",
    "as many long names as may be, and NaN": lambda: (
        b"{" + b",".join([b'"%027d":1' % number for number in range(140_000)]) + b',"n":NaN}'
    ),
    "as many objects as may be, and NaN": lambda: b"[NaN," + b",".join([b'{"a":{}}'] * 49_000) + b"]",
}


@pytest.fixture
def keys(log: None) -> SourceKeys:
    return create_source("Shop")[1]


def deliver(path: str, body: bytes, keys: SourceKeys) -> tuple[int, int]:
    """Send a body of MOST bytes at most; return the status, and by how much the process grew."""
    assert len(body) <= MOST
    packed = body if path == "/batch" else pack(body)
    with watch_memory() as read_growth:
        answer = send(path, packed, keys)
    return answer.status_code, read_growth()


@pytest.mark.parametrize("path", WORDS)
def test_an_event_that_is_as_large_as_a_body_fills_no_memory(path: str, keys: SourceKeys) -> None:
    around, event = WORDS[path]
    # What the first request of a process loads stays for the others.
    assert send(path, around % (event % b"1"), keys).status_code < 300
    told = {name: deliver(path, around % (event % make()), keys) for name, make in VALUES.items()}

    assert {name: status for name, (status, _) in told.items() if status >= 500} == {}
    assert {name: growth for name, (_, growth) in told.items() if growth > MAX_GROWTH} == {}


@pytest.mark.parametrize("path", ["/v1/batch", "/import", "/mp/collect", "/batch"])
def test_many_large_events_that_are_odd_are_taken_and_fill_no_memory(path: str, keys: SourceKeys) -> None:
    around, event = WORDS[path]
    count = 170
    odd = event % (b'[NaN,"%s"]' % (ODD + b"x" * 28_000))
    status, growth = deliver(path, around % b",".join([odd] * count), keys)

    assert status < 300
    assert growth <= MAX_GROWTH
    assert Event.objects.count() == count
    stored = Event.objects.first()
    assert stored is not None
    assert stored.properties["p"] == [None, "\ufffd🎉\ufffd" + "x" * 28_000]


@pytest.mark.parametrize("lines", [b"ab\n" * 1_600_000, b"\n" * 4_900_000 + b"{", b"{}\n" * 40_000])
def test_a_body_of_many_lines_is_refused_before_they_are_read(lines: bytes, keys: SourceKeys) -> None:
    before = time.process_time()
    status, growth = deliver("/track", b"{\n" + lines, keys)

    assert status == 413
    assert growth <= MAX_GROWTH
    assert time.process_time() - before < 6
