"""What each dialect costs: the same hundred people's events in its own words, beside the platform's own."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import msgspec
from django.test import RequestFactory

from benchmarks.ingest import send_by_two
from benchmarks.stage import Figure, time_best
from engagement.lib.interpreter import tune_interpreter
from tracking.api.ingest import DialectView, EventsView
from tracking.sources import create_source

SIZE = 100
REQUESTS = 200
_PROPERTIES = {
    "price": 19.9,
    "currency": "EUR",
    "category": "lamps",
    "path": "/shop/lamps/desk",
    "referrer": "https://search.example/?q=lamp",
}


class Speech(msgspec.Struct, frozen=True, kw_only=True):
    """How one client packs `size` events: a path with its query, and a function of the key that makes a body."""

    name: str
    path: str
    make: Callable[[str, int], bytes]
    size: int = SIZE


def measure() -> list[Figure]:
    """Measure each dialect with batches of its own size against the native format with as many events a request."""
    _, keys = create_source("Dialects bench")
    figures = []
    for speech in SPEECHES:
        native = Speech(name="native", path="/v1/events", make=_native, size=speech.size)
        tune_interpreter()
        bare = _time(native, EventsView.as_view(), keys.secret_key)
        rate = _time(speech, DialectView.as_view(), keys.secret_key)
        figures.append(
            Figure(
                work=f"{speech.name}, {speech.size} event{'s' if speech.size > 1 else ''} a request",
                measured=f"{rate:,.0f}/s",
                bare=f"{bare:,.0f}/s in the native format",
                ratio=f"{rate / bare:.0%}",
            )
        )
    return figures


def _time(speech: Speech, view: Any, key: str) -> float:
    rounds: Iterator[list[bytes]] = iter([[speech.make(key, speech.size) for _ in range(REQUESTS)] for _ in range(3)])
    send = partial(_send, RequestFactory(), view, speech.path.format(key=key), key)
    return time_best(lambda: send_by_two(send, next(rounds)) * speech.size)


def _send(factory: RequestFactory, view: Any, path: str, key: str, bodies: list[bytes]) -> None:
    headers = {"authorization": f"Bearer {key}"}
    for body in bodies:
        answer = view(factory.post(path, body, content_type="text/plain", headers=headers))
        assert answer.status_code in (200, 202, 204), answer.content[:200]


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _person() -> str:
    return f"user-{uuid4().int % 100_000}"


def _native(key: str, size: int) -> bytes:
    events = [
        {"event": "add_to_cart", "user_id": _person(), "message_id": uuid4().hex, "timestamp": _now()}
        | {"properties": _PROPERTIES}
        for _ in range(size)
    ]
    return json.dumps({"events": events}).encode()


def _segment(key: str, size: int) -> bytes:
    batch = [
        {"type": "track", "event": "add_to_cart", "userId": _person(), "messageId": uuid4().hex, "timestamp": _now()}
        | {"anonymousId": None, "properties": _PROPERTIES, "context": {"library": {"name": "a", "version": "1"}}}
        for _ in range(size)
    ]
    return json.dumps({"batch": batch, "sentAt": _now(), "writeKey": key}).encode()


def _mixpanel(key: str, size: int) -> bytes:
    events = [
        {
            "event": "add_to_cart",
            "properties": _PROPERTIES
            | {
                "token": key,
                "distinct_id": _person(),
                "$insert_id": uuid4().hex,
                "time": datetime.now(UTC).timestamp(),
            },
        }
        for _ in range(size)
    ]
    return urlencode({"data": base64.b64encode(json.dumps(events).encode())}).encode()


def _measurement_protocol(key: str, size: int) -> bytes:
    moment = int(datetime.now(UTC).timestamp() * 1_000_000)
    events = [{"name": "add_to_cart", "params": _PROPERTIES | {"event_id": uuid4().hex}} for _ in range(size)]
    return json.dumps({"client_id": _person(), "timestamp_micros": moment, "events": events}).encode()


def _web_hits(key: str, size: int) -> bytes:
    page = uuid4().int % 10**12
    line = "en=add_to_cart&ep.category=lamps&ep.currency=EUR&epn.price=19.9&ep.path=%2Fshop%2Flamps%2Fdesk"
    return "\r\n".join(f"{line}&_p={page}&_s={number}&cid={_person()}" for number in range(size)).encode()


def _posthog(key: str, size: int) -> bytes:
    batch = [
        {"event": "add_to_cart", "distinct_id": _person(), "uuid": str(uuid4()), "timestamp": _now()}
        | {"properties": _PROPERTIES | {"$lib": "posthog-python"}}
        for _ in range(size)
    ]
    return json.dumps({"batch": batch, "api_key": key, "sent_at": _now()}).encode()


SPEECHES = (
    Speech(name="Segment and RudderStack, a batch", path="/v1/batch", make=_segment),
    Speech(name="Mixpanel, base64 in a form", path="/track", make=_mixpanel, size=50),
    Speech(name="GA4, the Measurement Protocol", path="/mp/collect", make=_measurement_protocol, size=25),
    Speech(name="GA4, hits of a page", path="/g/collect?v=2&sid=1", make=_web_hits, size=20),
    Speech(name="PostHog, a batch", path="/batch", make=_posthog),
)
