"""What a refused request costs: no more than its size, and nothing for what is not kept."""

import gzip
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from tests.cast import approve, make_source
from tracking.event import Rejection, compute_user_profile_id
from tracking.identities import find_identities
from tracking.models import Quarantined
from tracking.quarantine import MAX_PAYLOAD, Refused, keep_refused
from tracking.wire.body import MAX_MEMBERS, inflate
from tracking.wire.native import NATIVE
from tracking.wire.request import WireError, WireRequest


def measure(work: Callable[[], Any]) -> float:
    """Return the seconds of the processor that it took."""
    before = time.thread_time()
    work()
    return time.thread_time() - before


def refuse(number: int, payload: bytes = b"{}") -> Refused:
    rejection = Rejection(index=number, code="invalid_field", message="No.")
    return Refused(rejection=rejection, payload=payload, dialect="native", event_name="", is_public=True)


@pytest.mark.parametrize("name", ["5", '"a\\ud800"', '"$linked"'])
def test_a_batch_is_cut_once_however_many_of_it_are_refused(name: str) -> None:
    item = f'{{"event":{name},"user_id":"u","properties":{{"t":"{"x" * 4_900}"}}}}'
    body = gzip.compress(f'{{"events":[{",".join([item] * 1_000)}]}}'.encode())
    request = WireRequest(method="POST", path="/v1/events", headers={}, body=body)
    cut: list[bytes] = []

    def read() -> None:
        told = NATIVE.read(request)
        cut.extend(NATIVE.cut(request, told, one.index) for one in told.items if isinstance(one, Rejection))

    assert measure(read) < 2
    assert [piece.replace(b" ", b"").decode() for piece in cut] == [item] * 1_000


def test_a_gzip_may_consist_of_some_files_and_not_of_thousands() -> None:
    assert inflate(gzip.compress(b"a") * MAX_MEMBERS) == b"a" * MAX_MEMBERS
    with pytest.raises(WireError) as refused:
        inflate(gzip.compress(b"a") * (MAX_MEMBERS + 1))
    assert (refused.value.status, refused.value.code) == (400, "invalid_compression")

    def try_many() -> None:
        with pytest.raises(WireError):
            inflate(gzip.compress(b"") * 49_000)

    assert measure(try_many) < 0.5


def test_what_there_is_no_room_for_is_not_described(log: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracking.quarantine.MAX_PER_HOUR", 3)
    source = make_source()
    described: list[int] = []

    def describe(rejection: Rejection) -> Refused:
        described.append(rejection.index)
        return refuse(rejection.index)

    rejections = [refuse(number).rejection for number in range(5)]
    keep_refused(source.pk, rejections[:2], describe, datetime.now(UTC))
    keep_refused(source.pk, rejections, describe, datetime.now(UTC))

    assert described == [0, 1, 0]


def test_only_what_is_kept_of_a_payload_is_searched_for_people(log: None) -> None:
    source = make_source()
    payload = b'{"user_id": "ada", "text": "' + b"x" * MAX_PAYLOAD + b'", "distinct_id": "bob"}'

    keep_refused(source.pk, [refuse(0).rejection], lambda _: refuse(0, payload), datetime.now(UTC))

    people = Quarantined.objects.get().people
    assert compute_user_profile_id("ada") in people
    assert compute_user_profile_id("bob") not in people


def test_a_long_word_is_searched_for_an_address_once() -> None:
    assert measure(lambda: find_identities(1, b"a" * 5_000_000)) < 5


LINES = {"items": {"type": "object", "required": ["sku", "name", "price", "quantity", "category"]}}


@pytest.mark.parametrize("policy", ["accept", "quarantine", "reject"])
@pytest.mark.parametrize("items", [LINES, {"anyOf": [LINES] * 100}], ids=["items", "branches"])
def test_a_request_of_which_nothing_fits_costs_no_more_than_its_size(log: None, policy: str, items: Any) -> None:
    source = make_source()
    approve("ordered", {"type": "object", "properties": {"items": items}}, policy=policy)
    event = f'{{"event":"ordered","user_id":"u","properties":{{"items":[{",".join(["{}"] * 10_000)}]}}}}'
    body = gzip.compress(f'{{"events":[{",".join([event] * 7)}]}}'.encode())
    client = Client(headers={"x-write-key": source.write_key, "content-encoding": "gzip"})
    answers: list[Any] = []

    spent = measure(lambda: answers.append(client.post("/v1/events", body, content_type="application/json")))

    assert spent < 1.5
    outcome = {"accept": "accepted", "quarantine": "quarantined", "reject": "rejected"}[policy]
    assert [receipt["outcome"] for receipt in answers[0].json()["results"]] == [outcome] * 7
