"""Signed requests: the secret key alone opens nothing, and each signature is good for one request."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from engagement.local.valkey import Valkey
from tests.cast import make_source
from tests.serving import send, serve_twice
from tracking.keys import make_key, revoke_key, rotate_key
from tracking.log.append import Appender, AppendFailed
from tracking.models import Event, KeyKind, Source, SourceKey
from tracking.registry import forget_registry
from tracking.replay import SeenSignatures
from tracking.valkey import ValkeyLink

pytestmark = pytest.mark.usefixtures("log")
BODY = json.dumps({"event": "paid", "user_id": "ada"}).encode()


class Server:
    """A team's server, which signs as the documentation says."""

    def __init__(self, source: Source) -> None:
        self.key = make_key(source, KeyKind.SECRET).value
        self.secret = make_key(source, KeyKind.SIGNING).value

    def sign(
        self, body: bytes = BODY, target: str = "/track-event", *, method: str = "POST", age: float = 0
    ) -> dict[str, str]:
        """Return the headers of a request."""
        timestamp = str(int(time.time() - age))
        text = f"{timestamp}.{method} {target}.".encode() + body
        digest = hmac.new(self.secret.encode(), text, hashlib.sha256).hexdigest()
        key = {"authorization": f"Bearer {self.key}"}
        return key | {"x-signature-timestamp": timestamp, "x-signature": f"v1={digest}"}

    def report(self, headers: dict[str, str] | None = None, *, body: bytes = BODY, path: str = "/track-event") -> Any:
        """Post with these headers and the secret key."""
        forget_registry()
        given = {"authorization": f"Bearer {self.key}"} | (headers or {})
        return Client().post(path, body, content_type="application/json", headers=given)


@pytest.fixture
def source() -> Source:
    return make_source(demands_signature=True)


@pytest.fixture
def server(source: Source) -> Server:
    return Server(source)


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    running = Valkey(tmp_path / "valkey", log=tmp_path / "valkey.log", persist=False)
    running.start()
    yield running
    running.stop()


def read_code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_signed_request_is_taken_and_an_unsigned_one_is_not(server: Server) -> None:
    assert read_code(server.report()) == (401, "signature_required")
    assert server.report(server.sign()).status_code == 202
    slashed = server.report(server.sign(BODY + b" "), body=BODY + b" ", path="/track-event/")
    assert slashed.status_code == 202
    assert Event.objects.count() == 2


def test_what_was_signed_is_the_whole_request(server: Server) -> None:
    signed = server.sign()
    other = json.dumps({"event": "paid", "user_id": "eve"}).encode()
    assert read_code(server.report(signed, body=other)) == (401, "signature_wrong")
    assert read_code(server.report(signed, path="/v1/events")) == (401, "signature_wrong")
    assert read_code(server.report(signed, path="/track-event?debug=1")) == (401, "signature_wrong")
    later = signed | {"x-signature-timestamp": str(int(signed["x-signature-timestamp"]) + 1)}
    assert read_code(server.report(later)) == (401, "signature_wrong")
    assert read_code(server.report(signed | {"x-signature": "v1=é"})) == (401, "signature_wrong")
    assert not Event.objects.exists()


@pytest.mark.parametrize(("age", "status"), [(290, 202), (-290, 202), (310, 401), (-310, 401)])
def test_a_signature_lasts_five_minutes_either_way(server: Server, age: float, status: int) -> None:
    answer = server.report(server.sign(age=age))
    assert answer.status_code == status
    if status == 401:
        assert answer.json()["code"] == "signature_expired"


def test_a_copy_is_refused(server: Server) -> None:
    signed = server.sign()
    assert server.report(signed).status_code == 202
    assert read_code(server.report(signed)) == (409, "replayed")
    assert server.report(server.sign(age=60)).status_code == 202


def test_a_copy_is_refused_however_its_signature_is_written(server: Server) -> None:
    signed = server.sign()
    assert server.report(signed).status_code == 202
    digest = signed["x-signature"].removeprefix("v1=")
    for written in (digest, digest.upper(), f"v1={digest.upper()}", digest.capitalize()):
        assert read_code(server.report(signed | {"x-signature": written})) == (409, "replayed")


def test_a_copy_is_refused_by_every_process(server: Server) -> None:
    signed = {name.replace("-", "_"): value for name, value in server.sign().items()}
    with serve_twice() as places:
        statuses = [send(place, "/track-event", BODY, **signed)[0] for place in places]
    assert sorted(statuses) == [202, 409]


def test_what_could_not_be_stored_may_come_again_as_it_is(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = server.sign()

    def fail(*_: Any, **__: Any) -> None:
        raise AppendFailed("the database is away")

    with monkeypatch.context() as broken:
        broken.setattr(Appender, "append", fail)
        assert server.report(signed).status_code == 503
    assert server.report(signed).status_code == 202


def test_while_valkey_is_away_a_process_knows_the_copies_of_what_it_took_itself(valkey: Valkey) -> None:
    seen = SeenSignatures(ValkeyLink(valkey.cache_url()))
    assert seen.note(1, "before")
    valkey.stop()
    assert seen.note(1, "while")
    assert not seen.note(1, "before")
    assert not seen.note(1, "while")


def test_reading_back_is_signed_too(server: Server) -> None:
    forget_registry()
    bare = Client().get("/v1/events", headers={"authorization": f"Bearer {server.key}"})
    assert read_code(bare) == (401, "signature_required")
    signed = server.sign(b"", "/v1/events?limit=5", method="GET")
    assert Client().get("/v1/events?limit=5", headers=signed).status_code == 200
    assert read_code(Client().get("/v1/events?limit=5", headers=signed)) == (409, "replayed")
    other = server.sign(b"", "/v1/events?limit=6", method="GET")
    assert read_code(Client().get("/v1/events?limit=5", headers=other)) == (401, "signature_wrong")


def test_pages_and_sources_that_do_not_demand_it_need_no_signature(source: Source, server: Server) -> None:
    assert server.report({"authorization": f"Bearer {source.write_key}"}).status_code == 202
    Source.objects.update(demands_signature=False)
    assert server.report().status_code == 202
    signed = server.sign()
    assert server.report(signed).status_code == 202
    assert read_code(server.report(signed | {"x-signature": "v1=00"})) == (401, "signature_wrong")


def test_a_replaced_secret_and_its_successor_are_right_until_the_first_ends(server: Server) -> None:
    old = SourceKey.objects.get(kind=KeyKind.SIGNING)
    assert server.report(server.sign()).status_code == 202
    former, server.secret = server.secret, rotate_key(old, now=datetime.now(UTC), overlap=timedelta(days=1)).value
    assert server.report(server.sign()).status_code == 202
    server.secret = former
    assert server.report(server.sign(age=60)).status_code == 202
    revoke_key(old, now=datetime.now(UTC))
    assert read_code(server.report(server.sign(age=2))) == (401, "signature_wrong")
