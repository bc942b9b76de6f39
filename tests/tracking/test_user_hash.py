"""Who may speak for a user: a page only with the hash that the user's server made."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from tests.cast import make_source
from tracking.keys import make_key, revoke_key, rotate_key
from tracking.models import Event, KeyKind, Quarantined, Source, SourceKey
from tracking.registry import forget_registry
from tracking.user_hash import blank_hashes

pytestmark = pytest.mark.usefixtures("log")


def sign(secret: str, user_id: str = "ada") -> str:
    """As a team's server would, in any language."""
    return hmac.new(secret.encode(), user_id.encode(), hashlib.sha256).hexdigest()


@pytest.fixture
def source() -> Source:
    return make_source(demands_user_hash=True)


@pytest.fixture
def secret(source: Source) -> str:
    return make_key(source, KeyKind.IDENTITY).value


def send(source: Source, path: str, body: Any, key: str = "", **headers: str) -> Any:
    forget_registry()
    given = {"x-write-key": key or source.write_key} | headers
    return Client().post(path, body, content_type="application/json", headers=given)


def test_a_page_does_not_speak_for_a_user_without_the_users_hash(source: Source, secret: str) -> None:
    body = {"event": "looked", "user_id": "ada"}
    lacking = send(source, "/track-event", body)
    assert (lacking.status_code, lacking.json()["results"][0]["code"]) == (403, "user_hash_required")
    wrong = send(source, "/track-event", body | {"user_hash": sign(secret, "bob")})
    assert (wrong.status_code, wrong.json()["results"][0]["code"]) == (403, "user_hash_wrong")
    assert send(source, "/track-event", body | {"user_hash": sign(secret)}).status_code == 202
    assert send(source, "/track-event", body, **{"x-user-hash": sign(secret).upper()}).status_code == 202
    assert Event.objects.filter(user_id="ada").count() == 2


def test_without_a_secret_to_compare_with_every_hash_is_wrong(source: Source) -> None:
    answer = send(source, "/track-event", {"event": "looked", "user_id": "ada", "user_hash": sign("")})
    assert answer.json()["results"][0]["code"] == "user_hash_wrong"


def test_who_has_not_signed_in_and_who_has_a_secret_key_need_none(source: Source, secret: str) -> None:
    assert send(source, "/track-event", {"event": "looked", "anonymous_id": "a"}).status_code == 202
    key = make_key(source, KeyKind.SECRET).value
    assert send(source, "/track-event", {"event": "looked", "user_id": "ada"}, key).status_code == 202


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/identify", {"user_id": "ada", "traits": {"plan": "gold"}}),
        ("/v1/alias", {"user_id": "ada", "previous_id": "phone"}),
        ("/v1/events", {"event": "looked", "user_id": "ada"}),
    ],
)
def test_identify_and_alias_need_it_too(source: Source, secret: str, path: str, body: dict[str, Any]) -> None:
    assert send(source, path, body).json()["results"][0]["code"] == "user_hash_required"
    assert send(source, path, body | {"user_hash": sign(secret)}).status_code == 202


@pytest.mark.parametrize(
    "place",
    [
        lambda digest: {"context": {"user_hash": digest, "page": "/"}},
        lambda digest: {"type": "track", "event": "looked", "properties": {"user_hash": digest}},
        lambda digest: {"traits": {"user_hash": digest, "plan": "gold"}},
        lambda digest: {"context": {"traits": {"user_hash": digest}}},
    ],
)
def test_clients_of_other_systems_put_it_where_they_can(source: Source, secret: str, place: Any) -> None:
    call = {"type": "identify", "userId": "ada"} | place(sign(secret))
    assert send(source, "/v1/batch", {"batch": [call]}).status_code == 200
    event = Event.objects.get()
    assert sign(secret) not in json.dumps([event.properties, event.context])


def test_one_stranger_in_a_batch_fails_alone(source: Source, secret: str) -> None:
    events = [
        {"event": "looked", "user_id": "ada", "user_hash": sign(secret)},
        {"event": "looked", "user_id": "bob", "user_hash": sign(secret)},
    ]
    results = send(source, "/v1/events", {"events": events}).json()["results"]
    assert [result["outcome"] for result in results] == ["accepted", "rejected"]


def test_the_hash_is_kept_neither_in_the_log_nor_in_quarantine(source: Source, secret: str) -> None:
    Source.objects.update(demands_user_hash=False)
    digest = sign(secret)
    send(source, "/track-event", {"event": "looked", "user_id": "ada", "user_hash": digest})
    send(source, "/track-event", {"event": "", "user_id": "ada", "user_hash": digest})
    send(source, "/v1/events", {"events": [{"event": 7, "user_id": "ada", "user_hash": digest}]})
    event = Event.objects.get()
    assert "user_hash" not in event.properties | event.context
    kept = [bytes(row.payload) for row in Quarantined.objects.all()]
    assert len(kept) == 2
    assert not any(digest.encode() in payload for payload in kept)


@pytest.mark.parametrize("operator", ["$set", "$set_once", "$append", "$union", "$remove"])
def test_the_hash_is_not_kept_where_an_operator_holds_it(source: Source, secret: str, operator: str) -> None:
    digest = sign(secret, "bob")
    value: Any = [digest] if operator == "$union" else digest
    said = {"$token": source.write_key, "$distinct_id": "ada", operator: {"user_hash": value, "plan": [1]}}
    assert send(source, "/engage", said).status_code == 400
    row = Quarantined.objects.get()
    assert b"plan" in bytes(row.payload)
    assert digest.encode() not in bytes(row.payload)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"en": "", "ep.user_hash": "%s", "uid": "ada"}',
        b'{"user_properties": {}, "up.user_hash" : "%s"}',
        b'"{\\"user_hash\\":\\"%s\\", broken"',
        b'{"user_hash": "%s',
    ],
)
def test_the_hash_is_not_kept_in_what_could_not_be_understood(payload: bytes) -> None:
    digest = sign("secret").encode()
    assert blank_hashes(payload % digest) == payload % b""


def test_a_replaced_secret_and_its_successor_are_right_until_the_first_ends(source: Source, secret: str) -> None:
    old = SourceKey.objects.get(kind=KeyKind.IDENTITY)
    new = rotate_key(old, now=datetime.now(UTC), overlap=timedelta(days=1)).value
    body = {"event": "looked", "user_id": "ada"}
    for one in (secret, new):
        assert send(source, "/track-event", body | {"user_hash": sign(one)}).status_code == 202
    revoke_key(old, now=datetime.now(UTC))
    assert send(source, "/track-event", body | {"user_hash": sign(secret)}).status_code == 403
