"""What was verified and is no event: held whole, and mapped again once the mapping is mended."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client

from tests.admin.conftest import Login
from tests.cast import evaluate, make_rule, make_source
from tests.tracking.hooks.senders import CHECKOUT, make_hook, remap, send
from tracking import quarantine
from tracking.again import run_resendings
from tracking.event import compute_user_profile_id
from tracking.intake import open_intake
from tracking.models import Event, EventType, Hook, HookCount, MisfitPolicy, Quarantined, SchemaVersion, Source
from tracking.registry import forget_registry
from triggers.models import Activation

STRANGER = {name: value for name, value in CHECKOUT.items() if name != "customer"} | {"client": {"id": "ada"}}


@pytest.fixture
def shop(log: None) -> Source:
    return make_source()


def hold_one(shop: Source, payload: Any = STRANGER, **headers: str) -> tuple[Hook, Quarantined]:
    hook = make_hook(shop)
    answer = send(hook, payload, **headers)
    assert (answer.status_code, answer.json()["outcome"]) == (200, "held")
    return hook, Quarantined.objects.get()


def events() -> list[tuple[str, str | None]]:
    return list(Event.objects.exclude(name__startswith="$").values_list("name", "user_id"))


def try_again(client: Client, hook: Hook) -> str:
    """Press the button, have a worker do it, and return the page that shows how it went."""
    answer = client.post(f"/admin/tracking/hook/{hook.pk}/again/")
    run_resendings(open_intake(), 10)
    return client.get(answer["Location"]).content.decode()


def test_a_payload_that_cannot_be_mapped_is_held_whole_with_its_reason(shop: Source) -> None:
    body = json.dumps(STRANGER | {"note": "x" * 100_000}).encode()
    hook, item = hold_one(shop, body, X_Shopify_Topic="checkouts/update")
    assert bytes(item.payload) == body
    assert (item.code, item.field, item.hook_id, item.is_held) == ("identity_required", "user_id", hook.pk, True)
    assert item.headers == {"x-shopify-topic": "checkouts/update"}
    assert events() == []
    assert HookCount.objects.get().held == 1


def test_whose_a_held_payload_is_can_be_told_where_its_mapping_tells(shop: Source) -> None:
    hook = make_hook(shop, mapping={"event": "$.nowhere"})
    send(hook, CHECKOUT)
    assert compute_user_profile_id(str(CHECKOUT["customer"]["id"])) in Quarantined.objects.get().people


def test_retries_of_a_payload_that_cannot_be_mapped_are_held_once(shop: Source) -> None:
    hook, _ = hold_one(shop, X_Shopify_Webhook_Id="w1")
    for webhook_id in ("w1", "w2"):
        send(hook, STRANGER, X_Shopify_Webhook_Id=webhook_id)
    assert Quarantined.objects.count() == 2


def test_two_events_of_one_thing_that_cannot_be_mapped_are_both_held(shop: Source, login: Login) -> None:
    hook = make_hook(shop, mapping={"event": "$.type", "message_id": "$.object.id"})
    for name in ("invoice_created", "invoice_paid", "invoice_created"):
        answer = send(hook, {"type": name, "object": {"id": "in_1"}, "client": {"id": "ada"}})
        assert answer.json()["outcome"] == "held"
    assert Quarantined.objects.count() == 2

    remap(hook, user_id="$.client.id", message_id="")
    try_again(login("Developer"), hook)

    assert sorted(events()) == [("invoice_created", "ada"), ("invoice_paid", "ada")]


def test_a_mapping_that_cannot_be_read_any_more_keeps_nothing_else_from_being_sent(shop: Source, login: Login) -> None:
    hook, _ = hold_one(shop)
    other = make_hook(shop, "other")
    send(other, STRANGER)
    Hook.objects.filter(pk=hook.pk).update(mapping={"event": 5})
    remap(other, user_id="$.client.id")
    client = login("Developer")

    assert "<strong data-left>1</strong> still not" in try_again(client, hook)
    try_again(client, other)

    assert len(events()) == 1


def test_once_the_mapping_is_mended_what_was_held_is_an_event_and_starts_its_rule(shop: Source, login: Login) -> None:
    make_rule(trigger={"kind": "event", "event": "checkout_abandoned"})
    hook, item = hold_one(shop)
    remap(hook, user_id="$.client.id")

    page = try_again(login("Developer"), hook)
    evaluate()

    assert "<strong data-sent>1</strong> taken, <strong data-left>0</strong> still not, of 1." in page
    assert f"What is held of {hook.name} from Shop" in page
    assert events() == [("checkout_abandoned", "ada")]
    assert Activation.objects.count() == 1
    item.refresh_from_db()
    assert item.resent_at is not None


def test_what_is_still_no_event_stays_and_says_why(shop: Source, login: Login) -> None:
    hook, item = hold_one(shop)
    page = try_again(login("Developer"), hook)
    assert "<strong data-left>1</strong> still not" in page
    assert "The first that was not taken: It is not in the payload who did it." in page
    item.refresh_from_db()
    assert item.resent_at is None


def test_a_retry_after_the_mending_and_what_was_held_are_one_event(shop: Source, login: Login) -> None:
    hook, _ = hold_one(shop, X_Shopify_Webhook_Id="w1")
    remap(hook, user_id="$.client.id")
    assert send(hook, STRANGER, X_Shopify_Webhook_Id="w1").json()["outcome"] == "accepted"
    try_again(login("Developer"), hook)
    assert len(events()) == 1


def test_a_payload_without_a_time_happened_when_it_came_and_not_when_it_was_mended(shop: Source, login: Login) -> None:
    hook, item = hold_one(shop)
    came = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
    Quarantined.objects.filter(pk=item.pk).update(received_at=came)
    remap(hook, user_id="$.client.id")
    try_again(login("Developer"), hook)
    assert Event.objects.get(name="checkout_abandoned").occurred_at == came


def test_a_held_payload_is_mended_and_sent_again_by_itself(shop: Source, login: Login) -> None:
    hook, item = hold_one(shop)
    client, address = login("Developer"), f"/admin/tracking/quarantined/{item.pk}/change/"
    shown = client.get(address).context["adminform"].form.fields["payload_text"].initial
    assert json.loads(shown) == STRANGER
    assert "It was refused again: It is not in the payload who did it." in client.post(
        address, {"payload_text": shown}
    ).content.decode().replace("&#x27;", "'")

    remap(hook, user_id="$.client.id")
    assert client.post(address, {"payload_text": shown}).status_code == 302
    try_again(client, hook)

    assert events() == [("checkout_abandoned", "ada")]


def test_what_a_schema_refuses_is_held_as_it_came(shop: Source, login: Login) -> None:
    kind = EventType.objects.create(name="checkout_abandoned", policy=MisfitPolicy.REJECT)
    schema = {"type": "object", "properties": {"checkout_id": {"type": "integer"}}}
    kind.in_force = SchemaVersion.objects.create(
        event_type=kind, number=1, schema=json.dumps(schema), approved_at=datetime.now(UTC)
    )
    kind.save()
    forget_registry()

    hook, item = hold_one(shop, CHECKOUT)
    assert json.loads(bytes(item.payload)) == CHECKOUT
    EventType.objects.update(policy=MisfitPolicy.ACCEPT)
    forget_registry()
    try_again(login("Developer"), hook)
    assert len(events()) == 1


@pytest.mark.parametrize("trouble", ["full", "away"])
def test_what_cannot_be_held_is_not_answered_with_200(
    shop: Source, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise DatabaseError("the database is away")

    if trouble == "full":
        monkeypatch.setattr(quarantine, "MAX_HELD", 0)
    else:
        monkeypatch.setattr(Quarantined.objects, "bulk_create", fail)
    answer = send(make_hook(shop), STRANGER)
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")


def test_what_a_deleted_hook_held_is_kept_and_says_that_nothing_reads_it(shop: Source, login: Login) -> None:
    hook, item = hold_one(shop)
    client = login("Developer")
    # Its page refuses that; a script, or an earlier release, does not.
    hook.delete()
    page = client.post(f"/admin/tracking/quarantined/{item.pk}/change/", {"payload_text": "{}"}).content.decode()
    assert "Its webhook was deleted" in page
    assert Quarantined.objects.filter(pk=item.pk).exists()


def test_the_quarantine_leads_from_a_payload_to_its_mapping_and_marks_nothing_in_it(shop: Source, login: Login) -> None:
    hook, item = hold_one(shop)
    client, mapping = login("Developer"), "/admin/tracking/hook/{}/change/"
    listed = client.get("/admin/tracking/quarantined/")
    group = client.get(listed.context["groups"][0]["url"]).content.decode()
    page = client.get(f"/admin/tracking/quarantined/{item.pk}/change/").content.decode()
    for shown in (group, page):
        assert mapping.format(hook.pk) in shown
        assert "<mark>" not in shown
