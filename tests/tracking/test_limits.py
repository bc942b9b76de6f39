"""Limits: shared by all processes through Valkey, and what holds while it is away or hangs."""

import hashlib
import hmac
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import LazySettings
from django.test import Client

from engagement.local.valkey import Valkey
from tests.cast import make_source
from tests.live import wait_for
from tests.serving import send, serve_twice
from tracking import admission
from tracking.admission import forget_limiter
from tracking.keys import make_key
from tracking.limits.limit import Charge, Excess, Limit, Subject, name_address
from tracking.limits.limiter import Limiter
from tracking.limits.shared import SharedBuckets
from tracking.models import Event, KeyKind, Source
from tracking.registry import forget_registry
from tracking.valkey import TIMEOUT_SECONDS, ValkeyLink

NO_LIMITS: dict[str, Any] = {"source_rate": 0, "address_rate": 0, "person_rate": 0}
ADA = {"event": "looked", "user_id": "ada"}
VISITOR = "203.0.113.77"
SHOP = "https://shop.example"


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path / "valkey", log=tmp_path / "valkey.log", persist=False)
    server.start()
    yield server
    server.stop()


def charge(cost: float = 1, *, rate: float = 1, burst: float = 20, key: str = "uada") -> Charge:
    return Charge(Subject.PERSON, 1, key, Limit(rate, burst), cost)


def count_taken(limiter: Limiter, number: int, one: Charge, *, is_public: bool = True) -> int:
    return sum(limiter.take([one], is_public=is_public) is None for _ in range(number))


def post(source: Source, body: Any, path: str = "/track-event", key: str = "", **headers: str) -> Any:
    forget_registry()
    given = {"x-write-key": key or source.write_key} | headers
    return Client(REMOTE_ADDR=VISITOR).post(path, body, content_type="application/json", headers=given)


def test_two_limiters_let_pass_what_one_would(valkey: Valkey) -> None:
    first, second = (Limiter(SharedBuckets(ValkeyLink(valkey.cache_url(), timeout=5))) for _ in range(2))
    begun = time.monotonic()
    taken = sum(count_taken(limiter, 15, charge()) for limiter in (first, second))
    assert 20 <= taken <= 21 + (time.monotonic() - begun)


def test_who_sends_little_is_never_asked_about_and_who_sends_much_by_the_chunk(valkey: Valkey) -> None:
    limiter = Limiter(SharedBuckets(ValkeyLink(valkey.cache_url(), timeout=5)))
    client = redis.Redis.from_url(valkey.cache_url())
    for person in range(100):
        assert count_taken(limiter, 5, charge(rate=50, burst=1000, key=f"u{person}")) == 5
    assert count_scripts(client) == 0
    assert count_taken(limiter, 500, charge(rate=50, burst=1000)) == 500
    assert 0 < count_scripts(client) <= 25


def test_all_buckets_of_a_request_are_asked_in_one_round_trip_and_none_is_charged_where_one_lacks(
    valkey: Valkey,
) -> None:
    limiter = Limiter(SharedBuckets(ValkeyLink(valkey.cache_url(), timeout=5)))
    client = redis.Redis.from_url(valkey.cache_url())
    full = Charge(Subject.SOURCE, 1, "", Limit(1, 10), 6)
    lacking = charge(6, burst=5, key="uada")
    begun = time.monotonic()
    assert limiter.take([full, lacking], is_public=True) is None
    assert count_scripts(client) == 1
    excess = limiter.take([Charge(Subject.SOURCE, 1, "", Limit(1, 10), 3), lacking], is_public=True)
    assert isinstance(excess, Excess)
    assert (excess.subject, 6 - (time.monotonic() - begun) < excess.wait <= 6) == (Subject.PERSON, True)
    assert limiter.take([Charge(Subject.SOURCE, 1, "", Limit(1, 10), 4)], is_public=True) is None


def count_scripts(client: redis.Redis) -> int:
    stats: Any = client.info("commandstats")
    return int(stats.get("cmdstat_evalsha", {}).get("calls", 0)) - int(
        stats.get("cmdstat_evalsha", {}).get("failed_calls", 0)
    )


def test_a_batch_of_more_than_fits_passes_when_nothing_was_sent_for_long_and_is_owed_then(valkey: Valkey) -> None:
    limiter = Limiter(SharedBuckets(ValkeyLink(valkey.cache_url(), timeout=5)))
    begun = time.monotonic()
    assert limiter.take([charge(50)], is_public=True) is None
    excess = limiter.take([charge(1)], is_public=True)
    assert excess is not None
    assert 31 - (time.monotonic() - begun) < excess.wait <= 31


def test_while_valkey_is_away_a_secret_key_passes_and_others_meet_a_bound_of_the_process(valkey: Valkey) -> None:
    limiter = Limiter(SharedBuckets(ValkeyLink(valkey.cache_url(), timeout=5)))
    assert count_taken(limiter, 5, charge()) == 5
    valkey.stop()
    assert count_taken(limiter, 100, charge(), is_public=False) == 100
    begun = time.monotonic()
    taken = count_taken(limiter, 100, charge())
    assert 20 <= taken <= 21 + (time.monotonic() - begun)
    valkey.start()
    client = redis.Redis.from_url(valkey.cache_url())
    wait_for(lambda: limiter.take([charge(key="ubob", burst=5)], is_public=True) and count_scripts(client))


def test_a_valkey_that_hangs_holds_up_nobody(valkey: Valkey) -> None:
    limiter = Limiter(SharedBuckets(ValkeyLink(valkey.cache_url())))
    assert valkey.process is not None
    os.kill(valkey.process.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        assert count_taken(limiter, 200, charge(), is_public=False) == 200
        # Not one time-out each, which would be many times as long.
        assert time.monotonic() - begun < 200 * TIMEOUT_SECONDS / 4
    finally:
        os.kill(valkey.process.pid, signal.SIGCONT)


def test_who_was_refused_is_refused_again_without_a_question(valkey: Valkey) -> None:
    limiter = Limiter(SharedBuckets(ValkeyLink(valkey.cache_url(), timeout=5)))
    client = redis.Redis.from_url(valkey.cache_url())
    assert limiter.take([charge(40)], is_public=True) is None
    asked = count_scripts(client)
    begun = time.monotonic()
    assert count_taken(limiter, 200, charge()) == 0
    assert count_scripts(client) - asked <= 1 + (time.monotonic() - begun) / 0.25


def test_a_batch_that_is_refused_again_and_again_shuts_out_nobody_who_asks_for_less(valkey: Valkey) -> None:
    limiter = Limiter(SharedBuckets(ValkeyLink(valkey.cache_url(), timeout=5)))
    client = redis.Redis.from_url(valkey.cache_url())
    assert limiter.take([charge(900, rate=100, burst=1000)], is_public=True) is None
    asked, begun = count_scripts(client), time.monotonic()
    for _ in range(40):
        assert limiter.take([charge(1000, rate=100, burst=1000)], is_public=True) is not None
        assert limiter.take([charge(1, rate=100, burst=1000)], is_public=True) is None
    assert count_scripts(client) - asked <= 5 + (time.monotonic() - begun) / 0.25


def test_neither_addresses_nor_users_stand_in_valkey(valkey: Valkey) -> None:
    limiter = Limiter(SharedBuckets(ValkeyLink(valkey.cache_url(), timeout=5)))
    limiter.take(
        [charge(10, key="uada@example.com"), Charge(Subject.ADDRESS, 1, VISITOR, Limit(1, 1), 1)], is_public=True
    )
    names = redis.Redis.from_url(valkey.cache_url()).keys("*")
    assert len(names) == 2
    assert not any(b"ada" in name or VISITOR.encode() in name for name in names)


@pytest.mark.parametrize(
    ("address", "bucket"),
    [
        (VISITOR, None),
        ("93.184.216.34", "93.184.216.34"),
        ("::ffff:93.184.216.34", "93.184.216.34"),
        ("2606:4700:1:2:3::4", "2606:4700:1:2::/64"),
        ("10.1.2.3", None),
        ("127.0.0.1", None),
        ("", None),
    ],
)
def test_a_visitors_bucket_is_that_of_the_host_and_a_private_address_says_nothing(
    address: str, bucket: str | None
) -> None:
    # The addresses for examples are private too.
    assert name_address(address) == bucket


@pytest.mark.usefixtures("slow_buckets")
def test_too_much_is_refused_with_when_to_come_again_which_a_page_may_read() -> None:
    source = make_source(**NO_LIMITS | {"person_rate": 1, "person_burst": 3})
    source.origins.create(origin=SHOP)
    answers = [post(source, ADA, origin=SHOP) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429, 429]
    refused = answers[-1]
    assert refused.json()["code"] == "rate_limited"
    assert int(refused["Retry-After"]) >= 1
    assert refused["Access-Control-Expose-Headers"] == "Retry-After, X-Error-Code"
    assert refused["Access-Control-Allow-Origin"] == SHOP
    assert post(source, ADA | {"user_id": "bob"}).status_code == 202
    assert Event.objects.count() == 4


@pytest.mark.usefixtures("slow_buckets")
@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/batch", {"batch": [{"type": "track", "event": "looked", "userId": "ada"}]}, 429),
        ("/track", [{"event": "looked", "properties": {"distinct_id": "ada", "$insert_id": "1"}}], 429),
        ("/batch", {"batch": [{"event": "looked", "distinct_id": "ada"}]}, 503),
    ],
)
def test_each_kind_of_client_is_told_what_it_comes_again_for(path: str, body: Any, status: int) -> None:
    source = make_source(**NO_LIMITS | {"person_rate": 1, "person_burst": 1})
    named = body if isinstance(body, list) else body | {"api_key": source.write_key, "writeKey": source.write_key}
    if isinstance(body, list):
        named = [item | {"properties": item["properties"] | {"token": source.write_key}} for item in body]
    assert post(source, named, path).status_code == 200
    refused = post(source, named, path)
    assert refused.status_code == status
    assert int(refused["Retry-After"]) >= 1


@pytest.mark.usefixtures("slow_buckets")
def test_who_may_not_speak_for_a_person_uses_up_nothing_of_theirs() -> None:
    source = make_source(**NO_LIMITS | {"person_rate": 1, "person_burst": 2, "demands_user_hash": True})
    secret = make_key(source, KeyKind.IDENTITY).value
    proof = {"user_hash": hmac.new(secret.encode(), b"ada", hashlib.sha256).hexdigest()}
    forged = {"events": [ADA, ADA | {"user_hash": "0" * 64}, {"event": "looked", "anonymous_id": "a"}]}
    assert [post(source, forged, "/v1/events").status_code for _ in range(3)] == [202, 202, 429]
    assert [post(source, ADA | proof).status_code for _ in range(3)] == [202, 202, 429]
    assert Event.objects.filter(user_id="ada").count() == 2


@pytest.mark.usefixtures("slow_buckets")
def test_a_server_meets_only_the_sources_limit() -> None:
    strict = {"address_rate": 1, "address_burst": 1, "person_rate": 1, "person_burst": 1}
    source = make_source(**NO_LIMITS | strict | {"source_rate": 1, "source_burst": 3})
    secret = make_key(source, KeyKind.SECRET).value
    assert [post(source, ADA, key=secret).status_code for _ in range(4)] == [202, 202, 202, 429]


@pytest.mark.usefixtures("slow_buckets")
def test_a_flood_is_refused_before_its_bodies_are_read() -> None:
    source = make_source(**NO_LIMITS | {"source_rate": 1, "source_burst": 1})
    assert post(source, ADA).status_code == 202
    assert post(source, ["no", "event"]).json()["code"] == "rate_limited"


@pytest.mark.usefixtures("slow_buckets")
def test_a_batch_costs_as_many_as_it_holds() -> None:
    source = make_source(**NO_LIMITS | {"source_rate": 1, "source_burst": 10})
    assert post(source, {"events": [ADA] * 9}, "/v1/events").status_code == 202
    assert post(source, {"events": [ADA] * 9}, "/v1/events").status_code == 429


@pytest.mark.usefixtures("slow_buckets")
def test_an_address_behind_our_proxy_has_its_own_bucket(settings: LazySettings) -> None:
    settings.TRUSTED_PROXIES = 1
    source = make_source(**NO_LIMITS | {"address_rate": 1, "address_burst": 2})

    def come_from(address: str) -> int:
        body = {"event": "looked", "anonymous_id": address}
        return int(post(source, body, **{"x-forwarded-for": f"1.2.3.4, {address}"}).status_code)

    assert [come_from("93.184.216.34") for _ in range(3)] == [202, 202, 429]
    assert come_from("93.184.216.35") == 202


@pytest.mark.usefixtures("log")
def test_where_nothing_is_limited_there_is_no_limiter() -> None:
    assert post(make_source(**NO_LIMITS), ADA).status_code == 202
    assert admission._limiter is None


@pytest.mark.usefixtures("log")
def test_a_limit_holds_over_two_processes() -> None:
    source = make_source(**NO_LIMITS | {"person_rate": 1, "person_burst": 10})
    key = source.write_key
    with serve_twice() as places:
        begun = time.monotonic()
        statuses = [
            send(places[turn % 2], "/track-event", json.dumps(ADA).encode(), X_Write_Key=key)[0] for turn in range(24)
        ]
        elapsed = time.monotonic() - begun
    assert set(statuses) == {202, 429}
    assert 10 <= statuses.count(202) <= 12 + elapsed


@pytest.mark.usefixtures("slow_buckets")
def test_the_door_goes_on_while_valkey_is_away(settings: LazySettings, tmp_path: Path) -> None:
    caches = {"BACKEND": "engagement.shared_cache.SharedCache", "LOCATION": f"unix://{tmp_path}/gone?db=0"}
    settings.CACHES = {"default": caches}
    forget_limiter()
    source = make_source(**NO_LIMITS | {"source_rate": 1, "source_burst": 2})
    secret = make_key(source, KeyKind.SECRET).value
    assert [post(source, ADA).status_code for _ in range(3)] == [202, 202, 429]
    assert [post(source, ADA, key=secret).status_code for _ in range(4)] == [202] * 4
    forget_limiter()
