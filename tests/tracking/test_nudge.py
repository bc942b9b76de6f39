"""Waking the evaluator: never in the way of what was accepted, and never lost for long."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
from django.conf import LazySettings
from django.core.cache import cache

from tests.cast import evaluate, make_source, report
from tests.live import wait_for
from tracking.log import nudge, read
from tracking.log.appenders import close_appender
from tracking.log.write import Connection
from tracking.models import Event

pytestmark = pytest.mark.usefixtures("log")


@pytest.fixture
def black_hole() -> Iterator[socket.socket]:
    """A server that takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def listen(black_hole: socket.socket, asked: list[socket.socket]) -> None:
    with contextlib.suppress(OSError):
        while True:
            asked.append(black_hole.accept()[0])


def test_a_hung_broker_holds_up_no_acceptance(black_hole: socket.socket, settings: LazySettings) -> None:
    source = make_source()
    close_appender()
    place = f"redis://127.0.0.1:{black_hole.getsockname()[1]}/0"
    settings.CACHES = {"default": {"BACKEND": "engagement.shared_cache.SharedCache", "LOCATION": place}}
    asked: list[socket.socket] = []
    threading.Thread(target=listen, args=(black_hole, asked), daemon=True).start()

    report("a", source=source)
    wait_for(lambda: asked)
    for _ in range(20):
        report("a", source=source)

    assert Event.objects.count() == 21
    assert len(asked) == 1, "the first nudge still waits for an answer while everything else is stored"


def test_a_closed_appender_leaves_no_thread_behind() -> None:
    source, before = make_source(), set(threading.enumerate())
    report("a", source=source)
    begun = set(threading.enumerate()) - before
    assert {thread.name for thread in begun} == {"appender", "nudger"}

    close_appender()

    wait_for(lambda: not any(thread.is_alive() for thread in begun))


def test_the_flag_is_cleared_before_the_bound_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set after the bound was read, it would swallow the nudge of an event that the pass has not seen."""
    flags = []

    def look_and_load(connection: Connection) -> int:
        flags.append(cache.get(nudge.FLAG))
        return read.load_bound(connection)

    monkeypatch.setattr("triggers.evaluate.run.load_bound", look_and_load)
    cache.set(nudge.FLAG, 1, timeout=60)
    evaluate()
    assert flags[0] is None
