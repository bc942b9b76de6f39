"""Recorded requests, damaged at random, through the whole door of each dialect: never a 5xx, never an event lost."""

import json

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings

from tests.core.wire.mutate import mutated_requests, read_safely
from tests.hostile.corpus import load_requests
from tracking.event import LINKED
from tracking.models import Event, Source
from tracking.sources import create_source
from tracking.wire.dialects import DIALECTS, find_dialect
from tracking.wire.request import WireRequest

NATIVE = [
    ("/track-event", {"event": "add_to_cart", "user_id": "ada", "price": 1.5, "timestamp": "2026-11-25T12:00:00Z"}),
    ("/v1/events", {"event": "add_to_cart", "user_id": "ada", "properties": {"a": [1]}, "context": {"ip": "1.2.3.4"}}),
    ("/v1/events", {"sent_at": "2026-11-25T12:00:00Z", "events": [{"event": "a", "anonymous_id": 7}, {"traits": {}}]}),
    ("/v1/identify", {"user_id": "ada", "traits": {"email": "ada@example.com", "n": None}, "user_hash": "00"}),
    ("/v1/alias", {"previous_id": "a-1", "user_id": "ada", "message_id": "m-1"}),
]


def collect() -> dict[str, list[WireRequest]]:
    """Return recorded requests by dialect."""
    found: dict[str, list[WireRequest]] = {}
    for _, request in load_requests():
        if request.method == "POST":
            found.setdefault(find_dialect(request).name, []).append(request)
    for path, body in NATIVE:
        request = WireRequest(method="POST", path=path, headers={}, body=json.dumps(body).encode())
        found.setdefault("native", []).append(request)
    return found


REQUESTS = collect()


@pytest.fixture
def source(log: None) -> Source:
    return create_source("Fuzzed")[0]


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_a_damaged_request_is_read_or_refused_in_words(dialect: str) -> None:
    @given(mutated_requests(REQUESTS[dialect]))
    @settings(max_examples=150, database=None)
    def read(request: WireRequest) -> None:
        read_safely(request, DIALECTS)

    read()


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_a_damaged_request_brings_no_5xx_and_what_is_taken_is_in_the_log(dialect: str, source: Source) -> None:
    key = source.write_key

    @given(mutated_requests(REQUESTS[dialect]))
    @settings(max_examples=40, database=None, suppress_health_check=list(HealthCheck))
    def send(request: WireRequest) -> None:
        said = Event.objects.exclude(name=LINKED)
        before = said.count()
        known = request.body.replace(b"wk_test_123", key.encode()), request.query.replace("wk_test_123", key)
        answer = Client().post(
            f"{request.path}?{known[1]}",
            known[0],
            content_type=request.headers.get("content-type", "text/plain"),
            headers={"x-write-key": key},
        )
        assert answer.status_code < 500, answer.content
        if dialect == "native" and answer.status_code == 202:
            accepted = [one for one in answer.json()["results"] if one["outcome"] == "accepted"]
            assert said.count() - before <= len(accepted)
            assert Event.objects.filter(id__in=[one["id"] for one in accepted]).count() == len(
                {one["id"] for one in accepted}
            )

    send()
