"""Clients that do not say how long a body is: it comes in chunks, through the real web server."""

import http.client
import json
from collections.abc import Iterator

import pytest

from engagement.chunked import MOST
from tests.live import LivePlatform

pytestmark = pytest.mark.xdist_group("live")


@pytest.fixture(scope="module")
def key(live_platform: LivePlatform) -> str:
    return str(json.loads(live_platform.manage("source", "add", "Chunks"))["write_key"])


def send(platform: LivePlatform, key: str, pieces: Iterator[bytes], path: str = "/v1/events") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", platform.port, timeout=30)
    headers = {"X-Write-Key": key, "Content-Type": "application/json"}
    connection.request("POST", path, pieces, headers, encode_chunked=True)
    return connection.getresponse().status


def test_a_body_in_chunks_is_read_whole(live_platform: LivePlatform, key: str) -> None:
    body = json.dumps({"event": "in_chunks", "user_id": "ada", "text": "x" * 20_000}).encode()
    pieces = (body[start : start + 1_000] for start in range(0, len(body), 1_000))

    assert send(live_platform, key, pieces, "/track-event") == 202

    with live_platform.connect() as connection:
        row = connection.execute("select properties ->> 'text' from event where name = 'in_chunks'").fetchone()
    assert row == ("x" * 20_000,)


def test_a_body_in_chunks_that_is_too_long_is_refused_by_its_length(live_platform: LivePlatform, key: str) -> None:
    piece = b" " * 100_000
    assert send(live_platform, key, (piece for _ in range(12 + 1))) == 413
    assert send(live_platform, key, iter([piece])) == 400
    assert MOST > 1_300_000
