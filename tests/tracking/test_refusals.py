"""What is not taken is counted, kept or not; a source that starts to break is seen at once."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import Sum
from django.test import Client

from tests.cast import approve, evaluate, make_source
from tracking import quarantine, refusals
from tracking.models import EventCount, Quarantined, RefusalCount, Source
from tracking.refusals import close_tally, find_breaking, get_tally

pytestmark = pytest.mark.usefixtures("log")
PRICED = {"required": ["price"]}


@pytest.fixture
def shop(log: None) -> Source:
    return make_source()


def send(source: Source, *events: Any) -> Any:
    body = json.dumps({"events": events}) if events else "{"
    headers = {"x-write-key": source.write_key}
    return Client().post("/v1/events", body, content_type="application/json", headers=headers)


def count() -> dict[str, int]:
    get_tally().flush()
    # The minute may have changed in between.
    return dict(RefusalCount.objects.values_list("code").annotate(Sum("number")))


def good(number: int) -> dict[str, Any]:
    return {"event": "read", "user_id": f"u{number}"}


def bad(number: int) -> dict[str, Any]:
    return {"event": "order_completed", "user_id": f"u{number}", "properties": {}}


def test_refused_held_and_unreadable_are_counted_beyond_what_is_kept(
    shop: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MAX_PER_HOUR", 1)
    approve("order_completed", PRICED, policy="reject")

    send(shop, *[bad(number) for number in range(5)])
    approve("order_completed", PRICED, policy="quarantine")
    send(shop, bad(6), {"event": ""})
    send(shop)

    assert count() == {"schema_mismatch": 6, "invalid_name": 1, "invalid_json": 1}
    assert Quarantined.objects.filter(is_held=False).count() == 1


def test_an_accepted_event_costs_no_count(shop: Source) -> None:
    close_tally()

    send(shop, good(1))

    assert refusals._tally is None


def test_a_source_that_starts_to_break_is_seen_at_once(shop: Source) -> None:
    approve("order_completed", PRICED, policy="reject")
    send(shop, *[good(number) for number in range(20)])
    evaluate()
    assert find_breaking(datetime.now(UTC)) == []

    send(shop, *[bad(number) for number in range(10)])
    get_tally().flush()

    breaking = find_breaking(datetime.now(UTC))
    assert [(one.source, one.number, one.percent, one.code) for one in breaking] == [
        ("Shop", 10, 33, "schema_mismatch")
    ]


def test_misfits_that_are_accepted_count_as_breaking_too(shop: Source) -> None:
    approve("order_completed", PRICED, policy="accept")
    send(shop, *[bad(number) for number in range(10)])
    evaluate()

    assert [one.percent for one in find_breaking(datetime.now(UTC))] == [100]


@pytest.mark.parametrize(
    ("failed", "received", "before", "is_breaking"),
    [(4, 1, 0, False), (10, 90, 10, True), (3, 97, 0, False), (5, 195, 0, True), (5, 195, 20, False)],
)
def test_what_counts_as_breaking(shop: Source, failed: int, received: int, before: int, is_breaking: bool) -> None:
    now = datetime.now(UTC)
    earlier = now - timedelta(minutes=30)
    for moment, refused, taken in ((now, failed, received), (earlier, before, 1000 - before)):
        minute = moment.replace(second=0, microsecond=0)
        RefusalCount.objects.create(minute=minute, source_id=shop.pk, code="invalid_field", number=refused)
        EventCount.objects.create(minute=minute, lane=0, source_id=shop.pk, name="read", received=taken)

    assert bool(find_breaking(now)) is is_breaking
