"""Keys: several at once, replaced with an overlap, revoked everywhere at once, those of a team's clients too."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.db import IntegrityError, connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client

from tests.serving import send, serve_twice
from tracking import key_use
from tracking.key_use import flush_uses
from tracking.keys import KeyRefused, add_foreign_key, hash_secret, make_key, revoke_key, rotate_key
from tracking.models import Event, EventType, KeyKind, Source, SourceKey
from tracking.registry import forget_registry
from tracking.sources import SourceKeys, create_source

EVENT = {"event": "add_to_cart", "user_id": "ada"}


@pytest.fixture
def keys(log: None) -> SourceKeys:
    return create_source("Shop", ["https://shop.example"])[1]


def report(key: str | None, path: str = "/track-event", body: Any = EVENT, **headers: str) -> Any:
    forget_registry()
    given = {"authorization": f"Bearer {key}"} if key else {}
    return Client().post(path, body, content_type="application/json", headers=given | headers)


def test_a_key_that_is_replaced_works_beside_the_new_one_until_its_time_is_over(keys: SourceKeys) -> None:
    old = SourceKey.objects.get(kind=KeyKind.SECRET)
    now = datetime.now(UTC)
    new = rotate_key(old, now=now, overlap=timedelta(hours=1))
    assert report(new.value).status_code == report(keys.secret_key).status_code == 202
    SourceKey.objects.filter(pk=old.pk).update(expires_at=now)
    assert report(keys.secret_key).json()["code"] == "unknown_key"
    assert report(new.value).status_code == 202


def test_a_second_replacement_does_not_lengthen_the_life_of_the_first_key(keys: SourceKeys) -> None:
    old = SourceKey.objects.get(kind=KeyKind.PUBLIC)
    now = datetime.now(UTC)
    rotate_key(old, now=now, overlap=timedelta(hours=1))
    rotate_key(old, now=now, overlap=timedelta(days=7))
    old.refresh_from_db()
    assert old.expires_at == now + timedelta(hours=1)


def test_a_revoked_key_is_refused_by_every_process_within_a_second(keys: SourceKeys) -> None:
    body = json.dumps(EVENT).encode()
    with serve_twice() as places:
        for place in places:
            for key in (keys.write_key, keys.secret_key):
                assert send(place, "/track-event", body, Authorization=f"Bearer {key}")[0] == 202
        revoke_key(SourceKey.objects.get(kind=KeyKind.PUBLIC), now=datetime.now(UTC))
        revoke_key(SourceKey.objects.get(kind=KeyKind.SECRET), now=datetime.now(UTC))
        revoked = time.monotonic()
        for key in (keys.write_key, keys.secret_key):
            for place in places:
                # It counts when a request came, not when it was answered.
                asked = time.monotonic()
                while send(place, "/track-event", body, Authorization=f"Bearer {key}")[0] != 401:
                    assert asked - revoked < 1.0
                    asked = time.monotonic()


def test_a_key_that_a_teams_clients_carry_tells_the_source(keys: SourceKeys) -> None:
    add_foreign_key(Source.objects.get(), " G-ABC123 ")
    assert report("G-ABC123").status_code == 202
    assert Event.objects.get().context["$public"] is True


def test_a_foreign_key_tells_one_source_only_and_is_free_again_once_it_is_revoked(keys: SourceKeys) -> None:
    shop, other = Source.objects.get(), create_source("Other")[0]
    key = add_foreign_key(shop, "G-ABC123")
    with pytest.raises(KeyRefused, match="The source Shop has this key already"):
        add_foreign_key(other, "G-ABC123")
    revoke_key(key, now=datetime.now(UTC))
    add_foreign_key(other, "G-ABC123")
    assert report("G-ABC123").status_code == 202
    assert Event.objects.get().source_id == other.pk


@pytest.mark.parametrize("wrong", ["", "abc", "two words", "sk_abcdef", "wk_abcdef", "ключ-ключ", "x" * 256])
def test_what_cannot_be_a_foreign_key_is_refused(keys: SourceKeys, wrong: str) -> None:
    with pytest.raises(KeyRefused):
        add_foreign_key(Source.objects.get(), wrong)


@pytest.mark.parametrize("name", ["key", "write_key"])
def test_a_beacon_shows_its_public_key_in_the_address(keys: SourceKeys, name: str) -> None:
    assert report(None, f"/track-event?{name}={keys.write_key}").status_code == 202
    assert report(None, f"/track-event?{name}=unknown").json()["code"] == "unknown_key"


def test_a_secret_key_in_an_address_is_refused_whether_it_is_known_or_not(keys: SourceKeys) -> None:
    for key in (keys.secret_key, "sk_unknown"):
        answer = report(None, f"/track-event?key={key}")
        assert (answer.status_code, answer.json()["code"]) == (401, "secret_key_in_url")


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("GET", "/g/collect?tid={key}&cid=1&en=looked"),
        ("POST", "/g/collect?tid={escaped}&cid=1&en=looked"),
        ("POST", "/mp/collect?measurement_id={key}"),
        ("POST", "/mp/collect?firebase_app_id={key}&api_secret={secret_key}"),
        ("GET", "/track?data={in_base64}&verbose=1"),
        ("GET", "/track?data={item}&verbose=1"),
        ("POST", "/track?data={item}&verbose=1"),
        ("POST", "/beacon/v1/batch?writeKey={key}"),
        ("GET", "/track?token=other&api_key={key}&data={{}}&verbose=1"),
    ],
)
def test_no_client_of_another_system_shows_a_secret_key_in_the_address(
    keys: SourceKeys, method: str, address: str
) -> None:
    for key in (keys.secret_key, "sk_unknown"):
        item = json.dumps({"event": "looked", "properties": {"token": key, "distinct_id": "ada"}})
        places = {
            "key": key,
            "escaped": key.replace("sk_", "%73k_"),
            "secret_key": keys.secret_key,
            "item": quote(item),
            "in_base64": quote(base64.b64encode(item.encode())),
        }
        body = b'{"client_id": "1", "events": [{"name": "looked"}]}' if "/mp/" in address else b""
        forget_registry()
        answer = Client().generic(method, address.format(**places), body, "text/plain")
        assert (answer.status_code, b"address ends up in logs" in answer.content) == (401, True), answer.content
    assert not Event.objects.exists()


def test_a_secret_key_is_kept_as_a_hash_and_the_database_holds_to_that(keys: SourceKeys) -> None:
    secret = SourceKey.objects.get(kind=KeyKind.SECRET)
    assert secret.value is None
    assert secret.secret_hash == hash_secret(keys.secret_key)
    with pytest.raises(IntegrityError):
        SourceKey.objects.filter(pk=secret.pk).update(value=keys.secret_key, secret_hash=None)


def test_the_last_use_is_known_without_a_write_on_the_requests_way(
    keys: SourceKeys,
) -> None:
    # While nobody can write a use, this process's own thread included, a request passes all the same.
    with key_use._writing:
        assert report(keys.write_key).status_code == 202
        key = SourceKey.objects.get(kind=KeyKind.PUBLIC)
        assert key.last_used_at is None
    before = datetime.now(UTC)
    report(keys.write_key)
    flush_uses()
    key.refresh_from_db()
    assert key.last_used_at is not None
    assert before <= key.last_used_at <= datetime.now(UTC)
    assert SourceKey.objects.get(kind=KeyKind.SECRET).last_used_at is None


def test_reading_back_is_a_use_too(keys: SourceKeys) -> None:
    forget_registry()
    Client().get("/v1/events", headers={"authorization": f"Bearer {keys.secret_key}"})
    flush_uses()
    assert SourceKey.objects.get(kind=KeyKind.SECRET).last_used_at is not None


def test_what_is_for_servers_only_is_refused_from_a_public_key_and_says_so(keys: SourceKeys) -> None:
    EventType.objects.create(name="refund", server_only=True)
    answer = report(keys.write_key, body={"event": "refund", "user_id": "ada"})
    assert answer.status_code == 403
    assert answer.json()["results"][0]["code"] == "server_only"
    assert "secret key" in answer.json()["results"][0]["message"]
    assert report(keys.secret_key, body={"event": "refund", "user_id": "ada"}).status_code == 202


def test_the_key_that_pages_are_told_is_the_newest_that_has_no_end(keys: SourceKeys) -> None:
    source = Source.objects.get()
    add_foreign_key(source, "G-ABC123")
    assert source.write_key == keys.write_key
    new = rotate_key(source.keys.get(value=keys.write_key), now=datetime.now(UTC), overlap=timedelta(days=1))
    assert Source.objects.get().write_key == new.value
    make_key(source, KeyKind.SECRET)
    for key in source.keys.all():
        revoke_key(key, now=datetime.now(UTC))
    assert Source.objects.get().write_key == ""


@pytest.mark.slow
def test_the_keys_of_an_installation_become_rows_and_can_be_columns_again(keys: SourceKeys) -> None:
    try:
        _migrate("0007_source_keys")
        with connection.cursor() as cursor:
            cursor.execute("select write_key, secret_hash from tracking_source")
            assert cursor.fetchone() == (keys.write_key, hash_secret(keys.secret_key))
            cursor.execute("select count(*) from tracking_sourcekey")
            assert cursor.fetchone() == (0,)
    finally:
        _migrate(None)
    assert report(keys.write_key).status_code == report(keys.secret_key).status_code == 202


def _migrate(name: str | None) -> None:
    executor = MigrationExecutor(connection)
    executor.migrate([("tracking", name)] if name else executor.loader.graph.leaf_nodes())
