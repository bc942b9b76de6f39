"""Loading items of history into the log: checked like any other, marked as imported, never in the evaluator's way."""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import msgspec

from engagement.lib.postgres import open_connection
from tracking.event import IMPORT, Item, Rejection, Stamp, stamp_item
from tracking.given_ids import drop_placeholders
from tracking.log.append import Appender, Outcome, Stored
from tracking.log.horizon import load_horizon
from tracking.log.read import count_imported, load_sequence
from tracking.log.write import Connection, Row, encode_row
from tracking.schema.validate import MAX_EVENT, check_item

BATCH = 1_000
MAX_LAG = timedelta(seconds=2)
_PATIENCE = 0.2
_BEAT_IS_AWAY = timedelta(seconds=10)


class LoadReport(msgspec.Struct, kw_only=True):
    """How many rows were taken and refused, how many of the taken were in the log before (told at the end), and the
    last line that is safely in the log. `too_old` of the refused, up to `oldest`, are older than events are kept."""

    taken: int = 0
    known: int = 0
    refused: int = 0
    line: int = 0
    too_old: int = 0
    oldest: datetime | None = None


def load_items(
    items: Iterable[Item | Rejection],
    *,
    source_id: int,
    retention: timedelta,
    refuse: Callable[[Rejection], None],
    progress: Callable[[int], None],
    waits: bool = True,
) -> Iterator[LoadReport]:
    """Append items in batches and yield a report after each that is on disk, and at the end.

    One batch is on its way while the next is made.
    """
    stamp = Stamp(source_id=source_id, now=datetime.now(UTC), retention=retention, is_public=False, origin=IMPORT)
    report = LoadReport()
    appender = Appender()
    waiting: tuple[list[tuple[int, Row]], int, Future[list[Outcome]]] | None = None
    with ThreadPoolExecutor(1) as pool, open_connection("engagement-import", timeout_ms=60_000) as connection:
        begun = load_sequence(connection)
        for rows, line in _make_batches(items, stamp, refuse, report):
            if waiting is not None:
                _finish(waiting, refuse, report, progress)
                yield report
            if waits:
                _wait_for_evaluator(connection)
            waiting = (rows, line, pool.submit(appender.append, [row for _, row in rows], 60.0))
        if waiting is not None:
            _finish(waiting, refuse, report, progress)
        report.known = max(report.taken - count_imported(connection, source_id, begun), 0)
        yield report
    appender.close()


def _make_batches(
    items: Iterable[Item | Rejection], stamp: Stamp, refuse: Callable[[Rejection], None], report: LoadReport
) -> Iterator[tuple[list[tuple[int, Row]], int]]:
    rows: list[tuple[int, Row]] = []
    line = 0
    for item in items:
        line = item.index
        row = _make_row(item, stamp)
        if isinstance(row, Rejection):
            refuse(row)
            report.refused += 1
            if row.code == "timestamp_out_of_range":
                _note_age(item, stamp, report)
            continue
        rows.append((line, row))
        if len(rows) >= BATCH:
            yield rows, line
            rows = []
    if rows:
        yield rows, line


def _note_age(item: Item | Rejection, stamp: Stamp, report: LoadReport) -> None:
    moment = item.timestamp if isinstance(item, Item) else None
    if moment is not None and moment < stamp.now - stamp.retention:
        report.too_old += 1
        report.oldest = min(report.oldest or moment, moment)


def _make_row(item: Item | Rejection, stamp: Stamp) -> Row | Rejection:
    if isinstance(item, Rejection):
        return item
    item = drop_placeholders(item)
    event = check_item(item) or stamp_item(item, stamp)
    if isinstance(event, Rejection):
        return event
    row = encode_row(event)
    if len(row.encoded) > MAX_EVENT:
        return Rejection(index=item.index, code="event_too_large", message=f"More than {MAX_EVENT} bytes.")
    return row


def _finish(
    waiting: tuple[list[tuple[int, Row]], int, Future[list[Outcome]]],
    refuse: Callable[[Rejection], None],
    report: LoadReport,
    progress: Callable[[int], None],
) -> None:
    rows, line, future = waiting
    for (number, _), outcome in zip(rows, future.result(), strict=True):
        if isinstance(outcome, Stored):
            report.taken += 1
        else:
            refuse(Rejection(index=number, code="unstorable", message=outcome.message))
            report.refused += 1
    report.line = line
    progress(len(rows))


def _wait_for_evaluator(connection: Connection) -> None:
    """History must not delay what happens now: wait while the evaluator lags, as long as somebody measures it."""
    while True:
        row = connection.execute("select clock_timestamp(), max(at) from log_tick").fetchone()
        horizon = load_horizon(connection, "evaluator")
        if row is None or row[1] is None or horizon is None or row[0] - row[1] > _BEAT_IS_AWAY:
            return
        if row[0] - horizon < MAX_LAG or load_sequence(connection) == 0:
            return
        time.sleep(_PATIENCE)
