"""Addresses: whose they are, how much of them is kept, and that the rest is kept nowhere."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from tests.cast import make_source
from tracking.addresses import AddressPolicy, blank_addresses, find_visitor, reduce_address
from tracking.keys import make_key
from tracking.models import Event, KeyKind, Quarantined, Source
from tracking.registry import forget_registry

ADA = "203.0.113.77"
NETWORK = "203.0.113.0"


def send(source: Source, body: Any, path: str = "/track-event", **headers: str) -> Any:
    forget_registry()
    given = {"x-write-key": source.write_key} | headers
    return Client(REMOTE_ADDR=ADA).post(path, body, content_type="application/json", headers=given)


@pytest.mark.parametrize(
    ("address", "truncated"),
    [
        (ADA, NETWORK),
        ("2001:db8:1:2:3::4", "2001:db8:1::"),
        ("::ffff:203.0.113.77", NETWORK),
        ("fe80::1%eth0", "fe80::"),
        ("somebody", None),
        ("1" * 65, None),
        ("", None),
    ],
)
def test_a_truncated_address_names_a_network(address: str, truncated: str | None) -> None:
    assert reduce_address(address, AddressPolicy.TRUNCATE) == truncated
    assert reduce_address(address, AddressPolicy.DROP) is None
    assert reduce_address(address, AddressPolicy.KEEP) == (address or None)


@pytest.mark.parametrize(
    ("forwarded", "proxies", "visitor"),
    [
        (ADA, 0, "10.0.0.1"),
        (ADA, 1, ADA),
        (f"6.6.6.6, {ADA}", 1, ADA),
        (f"6.6.6.6, {ADA}, 10.0.0.2", 2, ADA),
        (ADA, 3, ADA),
        (f"{ADA}:4711", 1, ADA),
        ("[2001:db8::1]:4711", 1, "2001:db8::1"),
        ("2001:db8::1", 1, "2001:db8::1"),
        ("x" * 65, 1, "10.0.0.1"),
        ("", 1, "10.0.0.1"),
    ],
)
def test_only_what_our_own_proxies_say_is_believed(forwarded: str, proxies: int, visitor: str) -> None:
    assert find_visitor("10.0.0.1", forwarded, proxies) == visitor


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(("policy", "kept"), [("drop", None), ("truncate", NETWORK), ("keep", ADA)])
def test_of_a_visitors_address_only_what_the_source_says_is_kept(policy: str, kept: str | None) -> None:
    source = make_source(address_policy=policy)
    send(source, {"event": "looked", "user_id": "ada"})
    send(source, {"event": "looked", "user_id": "ada", "context": {"ip": "198.51.100.9"}})
    segment = {"type": "track", "event": "looked", "userId": "ada", "context": {"ip": ADA}}
    send(source, {"batch": [segment]}, "/v1/batch")
    given = {"drop": None, "truncate": "198.51.100.0", "keep": "198.51.100.9"}[policy]
    stored = list(Event.objects.order_by("seq"))
    assert [event.context.get("ip") for event in stored] == [kept, given, kept]


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(("query", "kept"), [("ip=0", None), ("", None), ("ip=1", NETWORK)])
def test_mixpanels_clients_say_whether_their_address_may_be_noted(query: str, kept: str | None) -> None:
    source = make_source(address_policy="truncate")
    event = {"event": "looked", "properties": {"token": source.write_key, "distinct_id": "ada"}}
    assert send(source, [event], f"/track?{query}").content == b"1"
    assert Event.objects.get().context.get("ip") == kept


@pytest.mark.usefixtures("log")
def test_nothing_is_kept_of_the_address_of_a_server() -> None:
    source = make_source(address_policy="keep")
    key = make_key(source, KeyKind.SECRET).value
    forget_registry()
    headers = {"authorization": f"Bearer {key}"}
    body = {"event": "paid", "user_id": "ada"}
    Client(REMOTE_ADDR=ADA).post("/track-event", body, content_type="application/json", headers=headers)
    assert "ip" not in Event.objects.get().context


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("policy", ["drop", "truncate"])
def test_quarantine_and_the_processs_log_hold_no_whole_address(
    policy: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    source = make_source(address_policy=policy)
    send(source, {"event": "", "user_id": "ada", "context": {"ip": ADA}})
    send(source, {"batch": [{"type": "track", "event": 7, "userId": "ada", "context": {"ip": ADA}}]}, "/v1/batch")
    send(source, {"events": [{"event": 7, "context": {"ip": ADA}}]}, "/v1/events")
    kept = [bytes(row.payload) for row in Quarantined.objects.all()]
    assert len(kept) == 3
    assert not any(ADA.encode() in payload for payload in kept)
    printed = capsys.readouterr()
    assert ADA not in caplog.text + printed.out + printed.err


def test_a_payload_is_blanked_wherever_clients_put_addresses() -> None:
    payload = b'{"ip": "1.2.3.4", "$ip":"::1", "version": "1.2.3.4", "seen": "203.0.113.77"}'
    assert blank_addresses(payload, ADA) == b'{"ip": "", "$ip":"", "version": "1.2.3.4", "seen": ""}'
    assert blank_addresses(b'"{\\"ip\\":\\"1.2.3.4\\", broken"', None) == b'"{\\"ip\\":\\"\\", broken"'


@pytest.mark.usefixtures("log")
def test_behind_a_proxy_the_visitors_address_is_the_one_that_the_proxy_saw(settings: LazySettings) -> None:
    settings.TRUSTED_PROXIES = 1
    source = make_source(address_policy="keep")
    send(source, {"event": "looked", "user_id": "ada"}, **{"x-forwarded-for": "6.6.6.6, 198.51.100.9"})
    assert Event.objects.get().context["ip"] == "198.51.100.9"
