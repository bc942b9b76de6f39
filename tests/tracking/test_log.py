"""The log: what is accepted is there once, in order, and no reader steps over it."""

import random
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from engagement.lib.ids import LANES, compute_boundary, read_moment
from engagement.lib.postgres import open_connection
from tests.cast import RETENTION, report
from tracking.event import Item, NewEvent, Stamp, stamp_item
from tracking.log.append import Appender, AppendFailed, Stored, Unstorable
from tracking.log.appenders import get_appender
from tracking.log.read import load_bound
from tracking.log.watchdog import end_hung_writers
from tracking.log.write import Row, encode_row, write_within
from tracking.models import Event, Source

pytestmark = pytest.mark.usefixtures("log")


def make_row(source: Source, number: int = 0, **fields: object) -> Row:
    item = Item(index=0, name="a", user_id=f"u{number}", **fields)  # type: ignore[arg-type]
    stamp = Stamp(source_id=source.pk, now=datetime.now(UTC), retention=RETENTION, is_public=False)
    event = stamp_item(item, stamp)
    assert isinstance(event, NewEvent)
    return encode_row(event)


def test_a_commit_out_of_order_is_not_stepped_over(source: Source) -> None:
    slow, fast, reader = (open_connection("test", timeout_ms=30_000) for _ in range(3))
    slow.execute("begin")
    write_within(slow, [make_row(source, 1)])
    with fast.transaction():
        write_within(fast, [make_row(source, 2)])

    while_open = load_bound(reader)
    numbers = [row[0] for row in reader.execute("select seq from event")]
    slow.execute("commit")

    assert while_open < min(numbers)
    assert load_bound(reader) >= Event.objects.order_by("seq").values_list("seq", flat=True)[1]
    for connection in (slow, fast, reader):
        connection.close()


def test_eight_writers_lose_and_double_nothing(source: Source) -> None:
    seen: list[int] = []
    done = threading.Event()

    def read() -> None:
        with open_connection("test-reader", timeout_ms=30_000) as connection:
            position = 0
            while True:
                is_last = done.is_set()
                bound = load_bound(connection)
                query = "select seq from event where seq > %s and seq <= %s order by seq"
                seen.extend(row[0] for row in connection.execute(query, (position, bound)))
                position = bound
                if is_last:
                    return

    def write(number: int) -> None:
        draw = random.Random(number)
        with open_connection("test-writer", timeout_ms=30_000) as connection:
            for turn in range(30):
                rows = [make_row(source, draw.randrange(1000), message_id=f"{number}-{turn}-{n}") for n in range(3)]
                connection.execute("begin")
                write_within(connection, rows)
                connection.execute("select pg_sleep(%s)", (draw.random() / 100,))
                connection.execute("rollback" if draw.random() < 0.2 else "commit")

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    reader.start()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done.set()
    reader.join()

    assert seen == sorted(set(seen))
    assert seen == list(Event.objects.order_by("seq").values_list("seq", flat=True))


def test_one_impossible_row_fails_no_other(source: Source) -> None:
    impossible = make_row(source, 99)
    broken = Row(impossible.event, impossible.encoded.replace(b'"name":"a"', b'"name":"\\u0000"'))
    rows = [make_row(source, number) for number in range(7)]

    outcomes = get_appender().append([*rows[:3], broken, *rows[3:]])

    assert isinstance(outcomes[3], Unstorable)
    assert all(isinstance(outcome, Stored) for number, outcome in enumerate(outcomes) if number != 3)
    assert Event.objects.count() == 7


def test_a_retry_with_message_id_and_timestamp_stores_nothing_twice(source: Source) -> None:
    moment = datetime.now(UTC) - timedelta(hours=5)

    for _ in range(2):
        report("a", source=source, message_id="m1", timestamp=moment)

    assert Event.objects.count() == 1


def test_a_retry_without_a_timestamp_is_answered_with_the_first_id(source: Source) -> None:
    first, second = (get_appender().append([make_row(source, 1, message_id="m1")]) for _ in range(2))

    assert first == second
    assert Event.objects.count() == 1


def test_the_same_batch_from_four_clients_at_once_is_stored_once(source: Source) -> None:
    rows = [make_row(source, number, message_id=f"m{number}") for number in range(50)]
    appenders = [Appender() for _ in range(4)]
    threads = [
        threading.Thread(target=appender.append, args=(rows[::step],))
        for appender, step in zip(appenders, (1, -1, 1, -1), strict=True)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for appender in appenders:
        appender.close()

    assert Event.objects.count() == 50


def test_a_client_with_a_clock_an_hour_off_is_corrected_and_its_retry_known(source: Source) -> None:
    its_now = datetime.now(UTC) - timedelta(hours=1)
    moment = its_now - timedelta(minutes=10)

    report("a", source=source, message_id="m1", timestamp=moment, sent_at=its_now)
    report("a", source=source, message_id="m1", timestamp=moment, sent_at=its_now + timedelta(seconds=20))

    event = Event.objects.get()
    assert abs(event.received_at - event.occurred_at - timedelta(minutes=10)) < timedelta(seconds=5)


def test_a_clock_days_ahead_that_says_so_is_corrected_and_its_retry_known(source: Source) -> None:
    for days in (1.01, 3, 4000):
        its_now = datetime.now(UTC) + timedelta(days=days)
        said: dict[str, Any] = {"message_id": f"m{days}", "timestamp": its_now - timedelta(minutes=10)}
        for later in (0, 20, 60):
            report("a", source=source, sent_at=its_now + timedelta(seconds=later), **said)

        event = Event.objects.get(message_id=f"m{days}")
        assert abs(event.received_at - event.occurred_at - timedelta(minutes=10)) < timedelta(seconds=5)
        assert abs(read_moment(event.id) - event.received_at) < timedelta(days=1)


def test_what_was_sent_days_ago_by_its_own_word_keeps_its_time(source: Source) -> None:
    moment = datetime.now(UTC) - timedelta(days=3)
    report("a", source=source, timestamp=moment, sent_at=moment + timedelta(minutes=1))

    assert Event.objects.get().occurred_at == moment


def test_a_clock_beyond_all_bounds_is_not_believed(source: Source) -> None:
    moment = datetime.now(UTC) - timedelta(minutes=5)
    report("a", source=source, timestamp=moment, sent_at=datetime(9999, 12, 31, tzinfo=UTC))

    assert Event.objects.get().occurred_at == moment


def test_a_clock_days_off_does_not_leave_the_partitions(source: Source) -> None:
    far = datetime.now(UTC) + timedelta(hours=20)
    report("a", source=source, message_id="m1", timestamp=far, sent_at=far)
    report("a", source=source, message_id="m1", timestamp=far, sent_at=far)

    assert Event.objects.count() == 1


def test_events_of_one_request_keep_their_order(source: Source) -> None:
    moment = datetime.now(UTC)
    rows = [make_row(source, 1, message_id=f"m{n}", timestamp=moment, properties={"n": n}) for n in range(20)]

    get_appender().append(rows)

    assert [event.properties["n"] for event in Event.objects.order_by("seq")] == list(range(20))


def test_a_database_that_went_away_is_an_unknown_outcome_and_never_an_acceptance(source: Source) -> None:
    appender = Appender()
    appender.append([make_row(source, 1)])
    appender._connect = lambda: psycopg.connect("host=/nowhere")  # type: ignore[method-assign]
    appender._drop_connection()

    with pytest.raises(AppendFailed):
        appender.append([make_row(source, 2)], timeout=0.3)


def test_a_lost_connection_is_opened_again_and_the_same_rows_written(source: Source) -> None:
    appender = get_appender()
    appender.append([make_row(source, 1)])
    with open_connection("test", timeout_ms=5_000) as other:
        other.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'engagement-appender'"
            " and datname = current_database()"
        )

    outcomes = appender.append([make_row(source, 2)])

    assert isinstance(outcomes[0], Stored)
    assert Event.objects.count() == 2


def test_the_statements_of_the_log_are_prepared(source: Source) -> None:
    appender = get_appender()
    for number in range(3):
        appender.append([make_row(source, number)])

    connection = appender._connection
    assert connection is not None
    prepared = connection.execute("select count(*) from pg_prepared_statements where statement like '%%into event%%'")

    assert prepared.fetchone() == (1,)


def test_a_lane_is_read_by_its_index(source: Source) -> None:
    with open_connection("test", timeout_ms=5_000) as connection:
        connection.execute("set enable_seqscan = off")
        plan = connection.execute("explain select seq from event where lane = 3 and seq > 5 order by seq limit 9")

        assert "lane_seq" in str(plan.fetchall())
    assert LANES == 64
    assert compute_boundary(datetime(1970, 1, 1, tzinfo=UTC)).int == 0


def test_a_writer_that_hangs_is_ended_so_that_readers_go_on(source: Source) -> None:
    hung, reader = (open_connection("test", timeout_ms=30_000) for _ in range(2))
    hung.execute("begin")
    write_within(hung, [make_row(source, 1)])
    get_appender().append([make_row(source, 2)])
    held_back = load_bound(reader)

    assert end_hung_writers(reader) == 0
    assert end_hung_writers(reader, patience=timedelta(0)) == 1

    deadline = time.monotonic() + 60
    while load_bound(reader) == held_back and time.monotonic() < deadline:
        time.sleep(0.01)
    assert load_bound(reader) > held_back
    with pytest.raises(psycopg.OperationalError):
        hung.execute("commit")
    assert Event.objects.count() == 1
    reader.close()
