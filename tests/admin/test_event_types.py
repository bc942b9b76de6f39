"""Event types: what the traffic shows, and a schema from draft to force."""

import json
from datetime import UTC, datetime
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests.admin.conftest import Login
from tests.cast import approve, evaluate, make_source, report
from tracking.hours import sum_hours
from tracking.models import EventType, Quarantined, SchemaVersion, Source
from tracking.registry import get_registry

PRICED = {"type": "object", "required": ["price"], "properties": {"price": {"type": "number"}}}


@pytest.fixture
def shop(log: None) -> Source:
    return make_source()


@pytest.fixture
def client(log: None, login: Login) -> Client:
    return login("Developer")


def sell(source: Source, *prices: Any) -> EventType:
    for price in prices:
        report("order_completed", source=source, properties={"price": price})
    evaluate()
    sum_hours(datetime.now(UTC))
    return EventType.objects.get(name="order_completed")


def page_of(event_type: EventType, rest: str = "change/") -> str:
    return f"/admin/tracking/eventtype/{event_type.pk}/{rest}"


def test_the_list_says_how_often_by_whom_and_what_the_name_could_be(client: Client, shop: Source) -> None:
    sell(shop, 5, 7)
    report("AddToCart", source=shop)
    evaluate()

    page = client.get("/admin/tracking/eventtype/").content.decode()

    assert "2 in a day" in page
    assert "as snake_case: <code>add_to_cart</code>" in page  # so that a long one breaks as the name does
    assert "Shop" in page


def test_the_list_asks_the_database_no_more_for_many_types(
    client: Client, shop: Source, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(40):
        report(f"event_{number}", source=shop)
    evaluate()
    sum_hours(datetime.now(UTC))

    with django_assert_max_num_queries(14):
        client.get("/admin/tracking/eventtype/")


def test_the_page_shows_each_property_with_its_kinds_share_and_values(client: Client, shop: Source) -> None:
    blog = make_source("Blog")
    event_type = sell(shop, 5, 5, "7 €")
    report("order_completed", source=blog, properties={"coupon": "SPRING"})
    evaluate()

    rows = {row.path: row for row in client.get(page_of(event_type)).context["properties"]}

    assert (rows["price"].kinds, rows["price"].percent, rows["price"].examples[0]) == ("whole number or text", 75, "5")
    assert sorted(rows["price"].by_source) == [("Blog", 0), ("Shop", 100)]
    assert rows["coupon"].percent == 25


def test_a_schema_goes_from_the_events_to_a_draft_and_into_force(client: Client, shop: Source) -> None:
    event_type = sell(shop, *range(20))
    begun = client.get(page_of(event_type, "schema/")).context["form"].initial["schema"]
    assert json.loads(begun)["required"] == ["price"]

    saved = client.post(page_of(event_type, "schema/"), {"schema": begun, "_save": ""})

    assert saved["Location"] == page_of(event_type, "schema/1/")
    assert get_registry().gates == {}
    assert client.get(page_of(event_type, "schema/1/")).context["trial"]["fitting"] == 20
    client.post(page_of(event_type, "schema/1/"))
    assert get_registry().gates["order_completed"].version == 1
    version = SchemaVersion.objects.get()
    assert version.approved_by is not None
    assert (version.approved_by.username, version.schema) == ("dev", begun)


def test_trying_a_schema_says_which_events_do_not_fit_and_what_it_changes(client: Client, shop: Source) -> None:
    approve("order_completed", {"properties": {"price": {}}}, policy="accept")
    event_type = sell(shop, 5, "7 €", "9 €")

    page = client.post(page_of(event_type, "schema/"), {"schema": json.dumps(PRICED), "_try": ""})

    trial = page.context["trial"]
    assert (trial["total"], trial["fitting"]) == (3, 1)
    assert [(row["number"], row["misfit"].message) for row in trial["reasons"]] == [(2, "`price` must be a number.")]
    assert [change.message for change in page.context["changes"]] == [
        "`price` was of any kind and is number; is now required."
    ]
    assert SchemaVersion.objects.count() == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "This is not JSON"),
        ('{"$ref": "https://example.com/x"}', "A `$ref` may only lead to a place in this schema"),
        ('{"properties": {"price": {"type": "money"}}}', "(at $.properties.price.type)"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_in_words(client: Client, shop: Source, text: str, says: str) -> None:
    event_type = sell(shop, 5)

    page = client.post(page_of(event_type, "schema/"), {"schema": text, "_save": ""})

    assert any(says in error for error in page.context["form"].errors["schema"])
    assert not SchemaVersion.objects.exists()


def test_the_page_compares_what_is_in_force_with_what_the_events_say(client: Client, shop: Source) -> None:
    approve("order_completed", PRICED, policy="accept")
    event_type = sell(shop, 5, "7 €")

    page = client.get(page_of(event_type))

    assert [change.message for change in page.context["changes"]] == [
        "`price` was number and is number or string; is no longer required."
    ]
    assert page.context["trial"]["failing"] == 1


def test_a_former_version_can_be_put_in_force_again(client: Client, shop: Source) -> None:
    approve("order_completed", PRICED)
    second = approve("order_completed", {})

    client.post(page_of(second.event_type, "schema/1/"))

    assert get_registry().gates["order_completed"].version == 1
    client.post(page_of(second.event_type, "schema/withdraw/"))
    assert get_registry().gates == {}


def test_saving_the_choices_writes_nothing_that_the_traffic_wrote_meanwhile(client: Client, shop: Source) -> None:
    event_type = sell(shop, 5)
    EventType.objects.update(last_seen_at=None)

    client.post(page_of(event_type), {"policy": "quarantine", "is_activity": "on"})

    event_type.refresh_from_db()
    assert (event_type.policy, event_type.last_seen_at) == ("quarantine", None)


def test_names_that_are_no_types_are_told_with_their_number(
    client: Client, shop: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracking.discovery.MAX_NEW_TYPES", 1)
    for number in range(3):
        report(f"made_up_{number}", source=shop)
    evaluate()
    sum_hours(datetime.now(UTC))

    page = client.get("/admin/tracking/eventtype/").content.decode()

    assert "Shop sent 2 events under them" in page


def test_the_page_leads_to_what_waits_in_quarantine_of_this_event_and_no_other(client: Client, shop: Source) -> None:
    event_type = sell(shop, 5)
    for name, is_held, resent_at in (
        ("order_completed", False, None),
        ("order_completed", True, None),
        ("order_completed", False, datetime.now(UTC)),
        ("refund_issued", False, None),
    ):
        Quarantined.objects.create(
            source=shop,
            received_at=datetime.now(UTC),
            code="schema_mismatch",
            message="It is so.",
            event_name=name,
            payload=b"{}",
            is_held=is_held,
            event_id=uuid4(),
            resent_at=resent_at,
        )

    page = client.get(page_of(event_type)).content.decode()

    assert "<strong>2 events</strong> in quarantine" in page
    listed = client.get(unescape(page.partition("quarantine because")[2].partition('href="')[2].partition('"')[0]))
    assert {row.event_name for row in listed.context["cl"].result_list} == {"order_completed"}
