"""The database is away: nothing is taken, and every client is told to come again in words that it acts on."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client

from tests.live import wait_for
from tracking import registry
from tracking.hooks.known import forget_hooks
from tracking.models import Event, Scope, Source
from tracking.registry import Registry, forget_registry, get_registry
from tracking.sources import create_source

SEGMENT = {"type": "track", "event": "view", "userId": "ada", "messageId": "m1", "writeKey": "k"}
MIXPANEL = [{"event": "view", "properties": {"token": "k", "distinct_id": "ada", "$insert_id": "m1"}}]
GA4 = {"client_id": "1.2", "events": [{"name": "view"}]}
POSTHOG = {"api_key": "k", "batch": [{"event": "view", "distinct_id": "ada"}]}
REQUESTS = {
    "/track-event": {"event": "view", "user_id": "ada"},
    "/v1/events": {"event": "view", "user_id": "ada"},
    "/v1/identify": {"user_id": "ada", "traits": {}},
    "/v1/t": SEGMENT,
    "/v1/batch": {"batch": [SEGMENT], "writeKey": "k"},
    "/track": MIXPANEL,
    "/import": MIXPANEL,
    "/mp/collect?measurement_id=G-1&api_secret=k": GA4,
    "/batch/": POSTHOG,
    "/hooks/1/orders": {"id": 1},
}


@contextmanager
def lose_database(place: Path) -> Iterator[None]:
    """Django looks for the database where none is."""
    connection.close()
    forget_registry()
    forget_hooks()
    right = connection.settings_dict["HOST"]
    connection.settings_dict["HOST"] = str(place)
    try:
        yield
    finally:
        connection.settings_dict["HOST"] = right


class CountingLock:
    """A lock that knows how many have asked for it."""

    def __init__(self) -> None:
        self.asked = 0
        self.lock = threading.Lock()
        self.release = self.lock.release

    def acquire(self, blocking: bool) -> bool:
        self.asked += 1
        return self.lock.acquire(blocking)


def send(path: str, body: object, **headers: str) -> Any:
    client = Client(raise_request_exception=False)
    return client.post(path, body, content_type="application/json", headers=headers)


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(("path", "body"), REQUESTS.items(), ids=[path.partition("?")[0] for path in REQUESTS])
def test_a_client_is_told_to_come_again(path: str, body: object, tmp_path: Path) -> None:
    with lose_database(tmp_path):
        answer = send(path, body, origin="https://shop.example")

    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    if not path.startswith("/hooks/"):
        assert answer["Access-Control-Allow-Origin"] == "https://shop.example"
        assert answer["Access-Control-Expose-Headers"] == "Retry-After, X-Error-Code"


@pytest.mark.usefixtures("source")
def test_a_page_that_asks_first_may_go_on_to_be_told_so(tmp_path: Path) -> None:
    asked = {"origin": "https://shop.example", "access-control-request-method": "POST"}
    with lose_database(tmp_path):
        answer = Client().options("/v1/batch", headers=asked)

    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (204, "https://shop.example")
    assert answer["Access-Control-Max-Age"] == "0"


@pytest.mark.usefixtures("source")
def test_so_is_one_whose_body_is_too_large(tmp_path: Path) -> None:
    with lose_database(tmp_path):
        answer = send("/v1/batch", b"x" * 1_200_000, origin="https://shop.example")

    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (413, "https://shop.example")


@pytest.mark.usefixtures("source")
def test_so_is_one_whose_body_is_damaged(tmp_path: Path) -> None:
    with lose_database(tmp_path):
        client = Client(raise_request_exception=False)
        assert client.post("/v1/identify", b"\x1f\x8bxx", content_type="application/json").status_code == 503


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("is_key_known", [False, True])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/v1/profiles/ada"),
        ("delete", "/v1/profiles/ada"),
        ("get", "/v1/profiles/ada/export"),
        ("get", "/v1/profiles/ada/events"),
        ("get", "/v1/deliveries"),
        ("get", "/v1/schema"),
    ],
)
def test_who_reads_or_erases_is_told_to_ask_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, path: str, is_key_known: bool
) -> None:
    _, keys = create_source("Shop", scopes=Scope.values)
    forget_registry()
    known = get_registry()
    with lose_database(tmp_path):
        if is_key_known:
            monkeypatch.setattr("tracking.api.auth.get_registry", lambda: known)
        client = Client(raise_request_exception=False)
        answer = getattr(client, method)(path, headers={"authorization": f"Bearer {keys.secret_key}"})

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer["Retry-After"]) > 0


def test_what_comes_again_is_taken_once_the_database_is_back(source: Source, tmp_path: Path) -> None:
    body = {"event": "view", "user_id": "ada", "message_id": "m1"}
    key = {"x-write-key": source.write_key}
    with lose_database(tmp_path):
        assert send("/track-event", body, **key).json()["code"] == "unavailable"

    assert send("/track-event", body, **key).status_code == 202
    assert Event.objects.count() == 1


def test_who_waited_for_a_reading_that_failed_does_not_wait_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_registry()
    lock, goes_on = CountingLock(), threading.Event()
    readings = []

    def fail() -> Registry:
        readings.append(1)
        goes_on.wait(10)
        raise OperationalError("away")

    def ask() -> str:
        with pytest.raises(OperationalError):
            get_registry()
        return "failed"

    monkeypatch.setattr(registry, "load_registry", fail)
    monkeypatch.setattr(registry, "_lock", lock)
    with ThreadPoolExecutor(3) as threads:
        asked = [threads.submit(ask) for _ in range(3)]
        wait_for(lambda: lock.asked == 3)
        goes_on.set()
        assert [one.result(10) for one in asked] == ["failed"] * 3
    assert len(readings) == 1
