"""What is learnt of event types from what comes in: names, counts, samples."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from tests.cast import approve, evaluate, make_source, report
from tracking import discovery, sampling
from tracking.hours import count_others, load_usage, sum_hours
from tracking.log.horizon import record_tick
from tracking.models import Event, EventHour, EventSample, EventType, Source
from tracking.sampling import load_samples, trim_samples
from triggers.worker import get_worker

pytestmark = pytest.mark.usefixtures("log")


@pytest.fixture
def shop(log: None) -> Source:
    return make_source()


def sum_now() -> datetime:
    record_tick(get_worker().connection)
    evaluate()
    now = datetime.now(UTC)
    sum_hours(now)
    return now


def test_names_without_end_make_no_event_types_without_end(shop: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "MAX_NEW_TYPES", 3)
    other = make_source("Blog")
    for number in range(6):
        report(f"made_up_{number}", source=shop)
    report("read", source=other)
    evaluate()

    assert EventType.objects.filter(found_by=shop.pk).count() == 3
    assert EventType.objects.filter(name="read").exists()
    now = sum_now()
    assert count_others(now) == {shop.pk: 3}
    assert EventSample.objects.count() == 4


def test_no_more_types_than_the_bound_in_all(shop: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "MAX_TYPES", 1)
    for name in ("first", "second"):
        report(name, source=shop)
    evaluate()

    assert EventType.objects.count() == 1


def test_property_names_without_end_are_bounded_over_all_processes(
    shop: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "MAX_PATHS", 5)
    for batch in range(4):
        discovery.forget_types()
        report("purchase", source=shop, properties={f"key_{batch}_{number}": 1 for number in range(5)})
        evaluate()

    assert len(EventType.objects.get().properties) <= 10


def test_the_counts_of_the_hours_are_those_of_the_minutes_by_source(shop: Source) -> None:
    blog = make_source("Blog")
    approve("read", {"required": ["title"]}, policy="accept")
    for source in (shop, blog, blog):
        report("read", source=source, context={"$misfit": {"version": 1}} if source is blog else {})
    now = sum_now()

    usage = load_usage(["read"], now)["read"]

    # The hour may have changed in between.
    assert (usage.day, usage.week, sum(usage.hours[-2:]), usage.misfits) == (3, 3, 3, 2)
    assert usage.by_source == {shop.pk: 1, blog.pk: 2}


def test_summing_again_doubles_nothing_and_counts_what_was_decided_late(shop: Source) -> None:
    report("read", source=shop)
    now = sum_now()
    report("read", source=shop)
    evaluate()
    # Not into the hour before, which nobody sums again.
    earlier = "greatest(minute - interval '1 minute', date_trunc('hour', minute))"
    get_worker().connection.execute(f"update event_count set minute = {earlier}".encode())

    for _ in range(2):
        sum_hours(now)

    assert sum(EventHour.objects.filter(name="read").values_list("received", flat=True)) == 2


def test_sums_at_once_do_not_collide(shop: Source) -> None:
    report("read", source=shop)
    evaluate()

    def work(_: int) -> None:
        sum_hours(datetime.now(UTC))
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))

    assert EventHour.objects.get(name="read").received == 1


def test_a_type_was_last_seen_when_its_last_event_came(shop: Source) -> None:
    report("read", source=shop)
    evaluate()
    EventType.objects.update(last_seen_at=datetime.now(UTC) - timedelta(days=3))

    now = sum_now()

    seen = EventType.objects.get().last_seen_at
    assert seen is not None
    assert now - seen < timedelta(minutes=2)


def test_samples_are_the_newest_events_and_go_with_them(shop: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "KEPT", 2)
    for price in range(4):
        report("purchase", source=shop, properties={"price": price}, message_id=f"m{price}")
    evaluate()

    trim_samples()

    assert [sample.properties["price"] for sample in load_samples("purchase")] == [3, 2]
    Event.objects.filter(message_id="m3").delete()
    assert [sample.properties["price"] for sample in load_samples("purchase")] == [2]


def test_a_busy_name_is_sampled_now_and_then(shop: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "_AT_ONCE", 3.0)
    for _ in range(10):
        report("read", source=shop)
    evaluate()

    assert EventSample.objects.count() == 3
