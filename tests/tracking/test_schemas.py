"""Schemas at the door: what fits, what does not, and what becomes of it."""

import json
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from tests.cast import approve, make_source
from tracking import gates, quarantine
from tracking.models import Event, EventType, Quarantined, Source
from tracking.registry import forget_registry, get_registry

pytestmark = pytest.mark.usefixtures("log")

PRICED = {"type": "object", "required": ["price"], "properties": {"price": {"type": "number"}}}
FITS = {"event": "order_completed", "user_id": "ada", "message_id": "m1", "properties": {"price": 5}}
BROKEN = {"event": "order_completed", "user_id": "ada", "message_id": "m2", "properties": {"price": "5 €"}}
LACKING = {"event": "order_completed", "user_id": "ada", "message_id": "m3", "properties": {}}


@pytest.fixture
def shop(log: None) -> Source:
    return make_source()


def send(source: Source, *events: dict[str, Any]) -> Any:
    headers = {"x-write-key": source.write_key}
    return Client().post("/v1/events", json.dumps({"events": events}), content_type="application/json", headers=headers)


def test_what_is_rejected_names_the_field_in_a_plain_sentence(shop: Source) -> None:
    approve("order_completed", PRICED, policy="reject")

    answer = send(shop, FITS, BROKEN, LACKING)

    assert answer.status_code == 202
    told = [(one["outcome"], one["code"], one["field"], one["message"]) for one in answer.json()["results"]]
    assert told == [
        ("accepted", None, None, None),
        ("rejected", "schema_mismatch", "properties.price", "`price` must be a number."),
        ("rejected", "schema_mismatch", "properties.price", "`price` is missing."),
    ]
    assert Event.objects.get().properties == {"price": 5}
    kept = Quarantined.objects.order_by("pk").values_list("code", "field", "event_name", "is_held", "is_public")
    assert list(kept) == [("schema_mismatch", "properties.price", "order_completed", False, True)] * 2


def test_what_is_quarantined_is_answered_as_taken_and_on_disk(shop: Source) -> None:
    approve("order_completed", PRICED, policy="quarantine")

    answer = send(shop, BROKEN)

    assert answer.status_code == 202
    receipt = answer.json()["results"][0]
    assert (receipt["outcome"], receipt["code"], receipt["field"]) == (
        "quarantined",
        "schema_mismatch",
        "properties.price",
    )
    held = Quarantined.objects.get()
    assert (held.is_held, str(held.event_id), held.is_public) == (True, receipt["id"], True)
    assert not Event.objects.exists()


def test_a_retry_of_what_is_held_is_held_once(shop: Source) -> None:
    approve("order_completed", PRICED, policy="quarantine")
    timed = BROKEN | {"timestamp": datetime.now(UTC).isoformat()}

    ids = {send(shop, timed).json()["results"][0]["id"] for _ in range(2)}

    assert len(ids) == 1
    assert Quarantined.objects.count() == 1


def test_what_is_accepted_although_it_does_not_fit_says_so_in_the_log(shop: Source) -> None:
    approve("order_completed", PRICED, policy="accept")

    assert send(shop, FITS, BROKEN).json()["results"][1]["outcome"] == "accepted"

    contexts = {event.message_id: event.context for event in Event.objects.all()}
    assert contexts["m2"]["$misfit"] == {
        "version": 1,
        "field": "properties.price",
        "message": "`price` must be a number.",
    }
    assert "$misfit" not in contexts["m1"]


def test_a_client_cannot_claim_a_misfit(shop: Source) -> None:
    send(shop, FITS | {"context": {"$misfit": {"version": 9}}})

    assert "$misfit" not in Event.objects.get().context


def test_what_cannot_be_held_is_rejected_and_never_lost_in_silence(
    shop: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve("order_completed", PRICED, policy="quarantine")
    monkeypatch.setattr(quarantine, "MAX_HELD", 1)

    answer = send(shop, FITS, BROKEN, LACKING)

    assert [one["outcome"] for one in answer.json()["results"]] == ["accepted", "quarantined", "rejected"]
    assert answer.json()["results"][2]["code"] == "quarantine_full"
    quarantine.forget_counts()
    full = send(shop, LACKING)
    assert (full.status_code, full.json()["code"], full["Retry-After"]) == (503, "quarantine_full", "60")


BATCHES: dict[str, Any] = {
    "/v1/events": {"events": [LACKING, {"event": "", "user_id": "ada"}]},
    "/v1/batch": {
        "batch": [
            {"type": "track", "event": "order_completed", "userId": "ada", "messageId": "m3"},
            {"type": "track", "userId": "ada"},
        ]
    },
    "/track": [
        {"event": "order_completed", "properties": {"distinct_id": "ada", "$insert_id": "m3"}},
        {"properties": {"distinct_id": "ada"}},
    ],
    "/import?strict=1": [
        {"event": "order_completed", "properties": {"distinct_id": "ada", "$insert_id": "m3", "time": 0}},
        {"properties": {"distinct_id": "ada"}},
    ],
    "/mp/collect": {"client_id": "1.2", "user_id": "ada", "events": [{"name": "order_completed"}, {"name": ""}]},
    "/batch/": {"batch": [{"event": "order_completed", "distinct_id": "ada", "uuid": str(UUID(int=3))}, {"event": ""}]},
}


@pytest.mark.parametrize("path", BATCHES)
def test_what_is_invalid_beside_it_loses_nothing_that_could_not_be_held(
    shop: Source, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    approve("order_completed", PRICED, policy="quarantine")
    body = json.dumps(BATCHES[path]).replace('"time": 0', f'"time": {time.time()}')
    headers = {"x-write-key": shop.write_key}

    def post() -> Any:
        return Client().post(path, body, content_type="application/json", headers=headers)

    monkeypatch.setattr(quarantine, "MAX_HELD", 0)
    for _ in range(2):
        full = post()
        assert (full.status_code, full["Retry-After"]) == (503, "60")
    assert not Quarantined.objects.exists()

    monkeypatch.setattr(quarantine, "MAX_HELD", 10)
    assert post().status_code < 500
    assert list(Quarantined.objects.order_by("is_held").values_list("is_held", flat=True)) == [False, True]


def test_what_is_invalid_is_refused_for_good_though_the_quarantine_is_full(
    shop: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve("order_completed", PRICED, policy="quarantine")
    monkeypatch.setattr(quarantine, "MAX_HELD", 0)

    assert send(shop, {"event": "", "user_id": "ada"}).status_code == 400


def test_what_could_not_be_written_is_not_answered_as_held(shop: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    approve("order_completed", PRICED, policy="quarantine")

    def fail(*_: Any) -> int:
        raise quarantine.HoldFailed("away")

    monkeypatch.setattr("tracking.acceptance.hold_items", fail)

    answer = send(shop, FITS, BROKEN)

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert not Event.objects.exists()


def test_a_change_is_in_force_when_the_registry_is_read_anew_and_compiles_once(
    shop: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve("order_completed", PRICED, policy="reject")
    first = get_registry().gates["order_completed"].validator
    forget_registry()
    assert get_registry().gates["order_completed"].validator is first

    approve("order_completed", {"type": "object"}, policy="reject")

    assert send(shop, BROKEN).json()["results"][0]["outcome"] == "accepted"
    EventType.objects.update(in_force=None)
    forget_registry()
    assert get_registry().gates == {}


def test_a_schema_that_cannot_be_used_any_more_does_not_take_the_door_down(shop: Source) -> None:
    version = approve("order_completed", PRICED, policy="reject")
    type(version).objects.update(schema="{")
    gates.forget_gates()
    forget_registry()

    assert send(shop, BROKEN).json()["results"][0]["outcome"] == "accepted"
