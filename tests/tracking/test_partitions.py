"""Partitions of the log: made ahead, dropped whole when retention ends and everybody has read them."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from engagement.lib.postgres import open_connection
from tests.cast import evaluate, make_source, report
from tracking.log.partitions import drop_partitions, ensure_partitions, find_last_covered_moment, load_partition_names
from tracking.models import Event

pytestmark = pytest.mark.usefixtures("log")
LONG_AGO = datetime(2019, 3, 10, tzinfo=UTC)


def test_partitions_reach_over_the_retention_and_two_months_ahead() -> None:
    names = load_partition_names()
    covered = find_last_covered_moment()

    assert f"event_{datetime.now(UTC) - timedelta(days=400):%Y_%m}" in names
    assert covered is not None
    assert covered > datetime.now(UTC) + timedelta(days=40)


def test_a_partition_is_made_once() -> None:
    assert ensure_partitions(LONG_AGO, LONG_AGO + timedelta(days=40)) == 2
    assert ensure_partitions(LONG_AGO, LONG_AGO + timedelta(days=40)) == 0
    assert drop_partitions(LONG_AGO + timedelta(days=70)) == ["event_2019_03", "event_2019_04"]


def test_a_partition_that_somebody_has_yet_to_read_stays() -> None:
    report("a", source=make_source())
    name = f"event_{datetime.now(UTC):%Y_%m}"
    future = datetime.now(UTC) + timedelta(days=35)

    assert name not in drop_partitions(future)
    evaluate()
    assert name in drop_partitions(future)
    assert not Event.objects.exists()
    ensure_partitions(datetime.now(UTC) - timedelta(days=402), datetime.now(UTC) + timedelta(days=62))


def test_a_partition_is_made_while_somebody_writes_and_somebody_reads() -> None:
    source = make_source()
    report("a", source=source)
    with (
        open_connection("test-writer", timeout_ms=10_000) as writer,
        open_connection("test", timeout_ms=10_000) as reader,
    ):
        writer.execute("begin")
        writer.execute("update event set context = context")
        reader.execute("begin")
        reader.execute("select count(*) from event")
        assert ensure_partitions(LONG_AGO, LONG_AGO) == 1
        writer.execute("commit")
        reader.execute("commit")
    drop_partitions(LONG_AGO + timedelta(days=40))


def test_a_partition_that_was_detached_and_not_dropped_is_dropped_later() -> None:
    ensure_partitions(LONG_AGO, LONG_AGO)
    with connection.cursor() as cursor:
        cursor.execute("alter table event detach partition event_2019_03")

    assert drop_partitions(LONG_AGO + timedelta(days=40)) == ["event_2019_03"]
    assert ensure_partitions(LONG_AGO, LONG_AGO) == 1
    drop_partitions(LONG_AGO + timedelta(days=40))
