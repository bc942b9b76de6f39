"""Whichever shell a request comes through, its answer is the same: status, headers, cookie and body."""

import gzip
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import LazySettings

from tests.asgi import AsyncClient, Reply, ask_django, make_scope
from tests.cast import approve, make_source
from tests.hostile.corpus import load_requests
from tracking.models import Event, KeyKind, Quarantined, Source, SourceKey
from tracking.registry import forget_registry
from tracking.wire.dialects import find_dialect
from tracking.wire.request import WireError, WireRequest

pytestmark = pytest.mark.usefixtures("log")

_IDS = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIMES = re.compile(r"expires=[^;]+")
PAGE = "https://shop.example"


@pytest.fixture(scope="module")
def client() -> Iterator[AsyncClient]:
    started = AsyncClient()
    yield started
    started.close()


@pytest.fixture
def shop() -> Source:
    source = make_source()
    source.origins.create(origin=PAGE)
    forget_registry()
    return source


def blank(reply: Reply) -> tuple[int, list[tuple[str, str]], bytes]:
    """What is drawn at random, or is a moment, differs."""
    headers = [
        (name, _TIMES.sub("expires=", _IDS.sub(b"id", value.encode()).decode())) for name, value in reply.headers
    ]
    return reply.status, headers, _IDS.sub(b"id", reply.body)


def find_key(request: WireRequest) -> str | None:
    dialect = find_dialect(request)
    try:
        return dialect.find_key(request) or dialect.read(request).key
    except WireError:
        return None


def test_recorded_requests_of_every_client_are_answered_alike(client: AsyncClient, shop: Source) -> None:
    requests = dict(load_requests())
    keys = {key for request in requests.values() if (key := find_key(request))}
    for key in sorted(keys):
        SourceKey.objects.create(source=shop, kind=KeyKind.PUBLIC, value=key)
    forget_registry()

    different, statuses = [], set()
    for name, request in requests.items():
        scope = make_scope(request.method, request.path, request.query, request.headers)
        one, other = client.ask(scope, request.body), ask_django(scope, request.body)
        statuses.add(one.status)
        if blank(one) != blank(other):
            different.append((name, one, other))

    assert different == []
    assert statuses >= {200, 204}
    assert Event.objects.exists()


def event(**more: Any) -> bytes:
    return json.dumps({"event": "view", "user_id": "ada"} | more).encode()


BATCH = json.dumps({"events": [{"event": "view", "user_id": "ada"}, {"event": ""}, {"event": "shut"}]}).encode()
FIT = json.dumps({"events": [{"event": "fit", "user_id": "ada", "message_id": "m" * 20, "properties": {}}]}).encode()
REQUESTS: dict[str, tuple[str, str, bytes, dict[str, str]]] = {
    "one event": ("POST", "/track-event", event(), {}),
    "with a slash": ("POST", "/track-event/", event(), {}),
    "without an id": ("POST", "/track-event", b'{"event":"view"}', {}),
    "with a cookie": ("POST", "/track-event", b'{"event":"view"}', {"Cookie": 'eng_id="x"; other=caf\xe9'}),
    "by https": ("POST", "/track-event", b'{"event":"view"}', {"X-Forwarded-Proto": "https"}),
    "partly rejected": ("POST", "/v1/events", BATCH, {}),
    "held": ("POST", "/v1/events", FIT, {}),
    "wholly rejected": ("POST", "/v1/events", b'{"event":""}', {}),
    "packed": ("POST", "/v1/events", gzip.compress(BATCH), {}),
    "large": (
        "POST",
        "/v1/events",
        json.dumps({"events": [json.loads(event(properties={"a": "x" * 900}))] * 20}).encode(),
        {},
    ),
    "too large": ("POST", "/v1/events", b" " * 1_050_000, {}),
    "no JSON": ("POST", "/v1/events", b"{", {}),
    "nested too deep": ("POST", "/v1/events", b"[" * 5_000, {}),
    "nothing": ("POST", "/v1/events", b"", {}),
    "identify": ("POST", "/v1/identify", b'{"user_id":"ada","traits":{"a":1}}', {}),
    "alias": ("POST", "/v1/alias", b'{"user_id":"ada","previous_id":"d1"}', {}),
    "no key": ("POST", "/v1/events", event(), {"Authorization": ""}),
    "an unknown key": ("POST", "/v1/events", event(), {"Authorization": "Bearer wk_no"}),
    "of a page": ("POST", "/track-event", b'{"event":"view"}', {"Authorization": "", "Origin": PAGE}),
    "of a foreign page": ("POST", "/track-event", event(), {"Origin": "https://else.example"}),
    "a preflight": ("OPTIONS", "/v1/events", b"", {"Origin": PAGE, "Access-Control-Request-Headers": "x-a"}),
    "a foreign preflight": ("OPTIONS", "/v1/events", b"", {"Origin": "https://else.example"}),
    "another method": ("DELETE", "/v1/events", b"", {}),
    "a page of the admin": ("GET", "/admin/login/", b"", {}),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_answered_alike(client: AsyncClient, shop: Source, settings: LazySettings, name: str) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.BEHIND_PROXY, settings.SECURE_PROXY_SSL_HEADER = True, ("HTTP_X_FORWARDED_PROTO", "https")
    approve("fit", {"type": "object", "required": ["price"]}, policy="quarantine")
    forget_registry()
    method, path, body, more = REQUESTS[name]
    headers = {"Authorization": f"Bearer {shop.write_key}", "Content-Type": "text/plain", "Host": "x.example"} | more
    scope = make_scope(method, path, "", {key: value for key, value in headers.items() if value})

    one, other = client.ask(scope, body), ask_django(scope, body)

    if name != "a page of the admin":
        assert blank(one) == blank(other)
    assert one.status == other.status < 500
    assert (Quarantined.objects.count() > 0) == ("rejected" in name or name in ("held", "packed"))
