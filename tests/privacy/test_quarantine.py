"""What was refused names people too: it goes with them, however broken it is."""

from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any
from uuid import UUID

import msgspec
import pytest
from django.apps import apps
from django.conf import LazySettings

from tests.cast import evaluate, report
from tests.privacy.conftest import erase, find_mentions, hold
from tests.privacy.test_export import refuse
from tracking.event import ALIAS, Item, Rejection, compute_anonymous_profile_id, compute_user_profile_id
from tracking.identities import list_people
from tracking.log.upkeep import keep_log
from tracking.models import Hook, HookPayload, Quarantined, Source
from tracking.quarantine import Refused, keep_refused

ADA_ID = compute_user_profile_id("ada-lovelace")


@pytest.mark.parametrize(
    "payload",
    [
        b'{"event": 5, "user_id": "ada-lovelace"}',
        b'{"event": 5, "userId":"ada-lovelace", "nested": {"a": [1]}}',
        b'{"event": "x", "properties": {"distinct_id": "ada-lovelace"}}',
        b'{"event": "x", "user_id": "ada\\u002dlovelace", "cut": "her',
        b'{"event": \xff\xfe, "user_id" : "ada-lovelace"}',
        b'{"event": "signed_up", "mail": "Lovelace@Example.com"}',
        b"en=purchase&uid=ada-lovelace&v=2",
    ],
)
def test_a_refused_payload_goes_with_whom_it_names(source: Source, payload: bytes) -> None:
    traits = {"traits": {"email": "lovelace@example.com"}}
    report("$identify", source=source, user_id="ada-lovelace", properties=traits)
    evaluate()
    refuse(source, payload)
    refuse(source, payload.replace(b"ada", b"eve").replace(b"Lovelace", b"Eve"))

    counts = erase(ADA_ID).counts

    assert counts["quarantined"] == 1
    assert Quarantined.objects.count() == 1


@pytest.mark.parametrize(
    "told",
    [
        {"traits": {"email": "l@example.com"}},
        {"set_once": {"email": "l@example.com"}},
        {"union": {"email": ["l@example.com"]}},
    ],
)
def test_an_address_is_found_by_whatever_operator_it_was_told(source: Source, told: dict[str, Any]) -> None:
    report("$identify", source=source, user_id="ada-lovelace", properties=told)
    evaluate()
    refuse(source, b'{"event": 5, "mail": "l@example.com"}')

    assert erase(ADA_ID).counts["quarantined"] == 1
    assert find_mentions("l@example.com") == {}


def test_somebody_of_whom_only_refused_items_are_held_is_erased_too(source: Source) -> None:
    refuse(source, b'{"event": 5, "user_id": "ada-lovelace"}')

    assert erase(ADA_ID).counts == {"quarantined": 1}
    assert find_mentions("ada-lovelace") == {}


def test_an_item_with_an_address_that_somebody_else_sent_stays_theirs(source: Source) -> None:
    traits = {"traits": {"email": "lovelace@example.com"}}
    report("$identify", source=source, user_id="ada-lovelace", properties=traits)
    evaluate()
    refuse(source, b'{"event": 5, "user_id": "grace", "invited": "lovelace@example.com"}')

    erase(ADA_ID)

    assert Quarantined.objects.count() == 1


def test_the_number_seven_names_only_who_is_called_so(source: Source) -> None:
    report("view", source=source, user_id="7")
    evaluate()
    refuse(source, b'{"event": 5, "user_id": "grace", "quantity": 7, "sku": "7"}')
    refuse(source, b'{"event": 5, "user_id": 7}')

    erase(compute_user_profile_id("7"))

    assert [bytes(row.payload)[:31] for row in Quarantined.objects.all()] == [b'{"event": 5, "user_id": "grace"']


def test_a_held_item_goes_with_who_sent_it_and_not_with_whom_it_names(source: Source) -> None:
    for person in ("ada-lovelace", "grace"):
        report("view", source=source, user_id=person)
    evaluate()
    hold(source, user_id="grace", properties={"customer_id": "ada-lovelace", "order": {"user_id": "ada-lovelace"}})

    erase(ADA_ID)
    assert Quarantined.objects.count() == 1
    assert erase(compute_user_profile_id("grace")).counts["quarantined"] == 1


def test_what_is_no_json_belongs_to_whom_it_names_first_of_all(source: Source) -> None:
    for person in ("ada-lovelace", "grace"):
        report("view", source=source, user_id=person)
    evaluate()
    refuse(source, b'{"event": 5, "user_id": "grace", "customer_id": "ada-lovelace"')
    refuse(source, b'{"event": 5, "customer_id": "ada-lovelace"')

    assert erase(ADA_ID).counts["quarantined"] == 1
    assert erase(compute_user_profile_id("grace")).counts["quarantined"] == 1


@pytest.mark.parametrize("is_understood", [True, False])
def test_a_users_items_do_not_go_with_somebody_anonymous_of_the_same_id(source: Source, is_understood: bool) -> None:
    report("view", source=source, user_id=None, anonymous_id="42")
    report("view", source=source, user_id="42")
    evaluate()
    if is_understood:
        hold(source, user_id="42")
    else:
        refuse(source, b'{"event": 5, "user_id": "42"}')

    erase(compute_anonymous_profile_id(source.pk, "42"))
    assert Quarantined.objects.count() == 1
    assert erase(compute_user_profile_id("42")).counts["quarantined"] == 1


@pytest.mark.parametrize("erased", [ADA_ID, compute_user_profile_id("ada-byron")])
def test_an_alias_that_was_refused_goes_with_either_of_its_ids_and_no_retry_brings_it_back(
    source: Source, erased: UUID
) -> None:
    item = Item(index=0, name=ALIAS, user_id="ada-lovelace", properties={"previous_id": "ada-byron"})
    people = list_people(source.pk, item, is_public=False)
    rejection = Rejection(index=0, code="timestamp_out_of_range", message="No.")
    refused = Refused(
        rejection=rejection,
        payload=msgspec.json.encode(item),
        dialect="native",
        event_name=ALIAS,
        is_public=False,
        people=people,
        happened_at=datetime.now(UTC) - timedelta(hours=1),
    )
    keep_refused(source.pk, [refused.rejection], lambda _: refused, datetime.now(UTC))

    assert erase(erased).counts == {"quarantined": 1}
    keep_refused(source.pk, [refused.rejection], lambda _: refused, datetime.now(UTC))
    assert not Quarantined.objects.exists()


def test_what_was_kept_before_is_found_by_whose_it_is_too(source: Source) -> None:
    hold(source, user_id="grace", properties={"customer_id": "ada-lovelace"})
    refuse(source, b'{"event": 5, "user_id": "ada-lovelace"}')
    expected = list(Quarantined.objects.order_by("pk").values_list("people", flat=True))
    Quarantined.objects.update(people=[ADA_ID, compute_anonymous_profile_id(source.pk, "ada-lovelace")])

    import_module("tracking.migrations.0018_whose_is_understood").find_people(apps, None)

    assert list(Quarantined.objects.order_by("pk").values_list("people", flat=True)) == expected
    assert expected == [[compute_user_profile_id("grace")], [ADA_ID]]


def test_an_anonymous_ids_refused_items_go_for_its_source(source: Source) -> None:
    report("view", source=source, user_id=None, anonymous_id="tab")
    evaluate()
    refuse(source, b'{"event": 5, "anonymous_id": "tab"}')

    assert erase(compute_anonymous_profile_id(source.pk, "tab")).counts["quarantined"] == 1


def test_a_webhooks_last_payloads_go_too(source: Source) -> None:
    report("view", source=source, user_id="ada-lovelace")
    evaluate()
    hook = Hook.objects.create(source=source, name="shop", style="none", secret="x")
    for person in ("ada-lovelace", "grace"):
        HookPayload.objects.create(
            hook=hook,
            received_at=datetime.now(UTC),
            profile_id=compute_user_profile_id(person),
            outcome="accepted",
            body=person.encode(),
        )

    assert erase(ADA_ID).counts["hook_payload"] == 1
    assert HookPayload.objects.count() == 1


def test_refused_items_go_when_retention_ends_and_held_ones_wait_for_an_answer(
    source: Source, settings: LazySettings
) -> None:
    settings.RETENTION_DAYS = 30
    now, long_ago = datetime.now(UTC), datetime.now(UTC) - timedelta(days=40)
    rows: list[tuple[str, dict[str, Any]]] = [
        ("fresh", {"received_at": now}),
        ("old", {"received_at": long_ago}),
        ("held", {"received_at": long_ago, "is_held": True, "event_id": ADA_ID}),
    ]
    for code, fields in rows:
        Quarantined.objects.create(source=source, code=code, message="No.", payload=b"{}", **fields)

    keep_log()

    assert sorted(Quarantined.objects.values_list("code", flat=True)) == ["fresh", "held"]
