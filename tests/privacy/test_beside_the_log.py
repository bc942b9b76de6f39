"""What is written beside the log of somebody who is erased meanwhile: it stays away, as their events do."""

import threading
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connections

from tests.cast import evaluate, report
from tests.privacy.conftest import erase, find_mentions, hold
from tests.privacy.test_carrying_out import wait_for_lock
from tests.privacy.test_erasure import ADA_ID
from tests.tracking.hooks.senders import CHECKOUT, make_hook, send
from tracking.erasure.ask import ask_erasure
from tracking.erasure.tombstones import Tombstone, hold_tombstones
from tracking.event import Item, Rejection, compute_user_profile_id
from tracking.hooks.diary import Diary, Entry, Outcome, Sample
from tracking.identities import list_people
from tracking.models import Erasure, Event, HookPayload, Quarantined, Source
from tracking.quarantine import Refused, keep_refused
from tracking.queries import find_events
from triggers.erase.carry_out import carry_out
from triggers.worker import get_worker


def order(**said: Any) -> dict[str, Any]:
    """An order of five minutes ago."""
    timestamp = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    return {"user_id": "ada-lovelace", "message_id": "m1", "timestamp": timestamp} | said


def test_a_retry_of_a_held_item_brings_nothing_back(source: Source) -> None:
    first = order()
    hold(source, **first)
    erase(ADA_ID)

    hold(source, **first)
    assert find_mentions("ada-lovelace") == {}
    hold(source, **order(message_id="m2", timestamp=datetime.now(UTC).isoformat()))
    assert Quarantined.objects.count() == 1


def test_a_retry_of_what_was_refused_brings_nothing_back_either(source: Source) -> None:
    def refuse(at: datetime | None) -> None:
        item = Item(index=0, name="x", user_id="ada-lovelace", timestamp=at)
        refused = Refused(
            rejection=Rejection(index=0, code="schema_mismatch", message="No."),
            payload=b'{"user_id": "ada-lovelace"}',
            dialect="native",
            event_name="x",
            is_public=True,
            people=list_people(source.pk, item, is_public=True),
            happened_at=at,
        )
        keep_refused(source.pk, [refused.rejection], lambda _: refused, datetime.now(UTC))

    report("view", source=source, user_id="ada-lovelace")
    evaluate()
    erase(ADA_ID)

    for at in (datetime.now(UTC) - timedelta(minutes=5), datetime(1, 1, 1, tzinfo=UTC)):
        refuse(at)
    assert Quarantined.objects.count() == 1
    refuse(datetime.now(UTC))
    refuse(None)
    assert Quarantined.objects.count() == 3


def test_what_is_to_be_held_waits_for_an_erasure_that_is_under_way(source: Source) -> None:
    first = order()
    hold(source, **first)
    connection = get_worker().connection
    ask_erasure(connection, ADA_ID, "test")
    order_id = Event.objects.get(name="$erase").pk

    def send() -> None:
        hold(source, **first)
        connections.close_all()

    with connection.transaction():
        carry_out(connection, find_events(connection, [order_id])[order_id])
        sender = threading.Thread(target=send)
        sender.start()
        wait_for_lock()
    sender.join(20)

    assert not Quarantined.objects.exists()


def test_an_erasure_waits_for_what_is_being_held(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    report("view", source=source, user_id="ada-lovelace")
    evaluate()
    is_looked_up, may_write = threading.Event(), threading.Event()

    def look_up(connection: Any, profile_ids: Iterable[UUID]) -> dict[UUID, Tombstone]:
        found = hold_tombstones(connection, profile_ids)
        is_looked_up.set()
        may_write.wait(20)
        return found

    def send_order() -> None:
        hold(source, **order())
        connections.close_all()

    def erase_ada() -> None:
        erase(ADA_ID)
        connections.close_all()

    monkeypatch.setattr("tracking.quarantine.hold_tombstones", look_up)
    sender, eraser = threading.Thread(target=send_order), threading.Thread(target=erase_ada)
    sender.start()
    assert is_looked_up.wait(20)
    eraser.start()
    with suppress(AssertionError):
        wait_for_lock()
    may_write.set()
    for thread in (sender, eraser):
        thread.join(20)

    assert Erasure.objects.get().completed_at is not None
    assert not Quarantined.objects.exists()


@pytest.mark.parametrize("mapping", [{"time": "$.updated_at"}, {}])
def test_a_retry_of_a_webhook_brings_nothing_back(source: Source, mapping: dict[str, str]) -> None:
    hook = make_hook(source, mapping=mapping)
    customer = compute_user_profile_id(str(CHECKOUT["customer"]["id"]))
    said = CHECKOUT | {"updated_at": (datetime.now(UTC) - timedelta(minutes=5)).isoformat()}
    send(hook, said, X_Shopify_Webhook_Id="w1")
    evaluate()
    assert erase(customer).counts["hook_payload"] == 1

    send(hook, said, X_Shopify_Webhook_Id="w1")
    evaluate()
    assert find_mentions("ada@example.com", str(customer)) == {}
    send(hook, said | {"updated_at": datetime.now(UTC).isoformat()}, X_Shopify_Webhook_Id="w2")
    assert HookPayload.objects.count() == 1


def test_a_webhooks_payload_that_is_written_after_the_erasure_is_left_out(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracking.hooks.diary._PAUSE_SECONDS", 60.0)
    hook = make_hook(source)
    report("view", source=source, user_id="ada-lovelace")
    evaluate()
    diary = Diary()

    def note(body: bytes) -> None:
        sample = Sample(headers={}, body=body, profile_id=ADA_ID)
        diary.note(Entry(hook_id=hook.pk, at=datetime.now(UTC), outcome=Outcome.ACCEPTED, sample=sample))

    note(b"before")
    erase(ADA_ID)
    note(b"after")
    diary.flush()

    assert [bytes(row.body) for row in HookPayload.objects.all()] == [b"after"]
