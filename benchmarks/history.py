"""Loading history from a file."""

import csv
import resource
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.ingest import make_rows
from benchmarks.stage import Figure, time_best
from engagement.lib.interpreter import tune_interpreter
from engagement.lib.postgres import open_connection
from tracking.importing.load import load_items
from tracking.importing.rows import ColumnMap, Row, make_item, read_rows
from tracking.log.write import write_batch
from tracking.sources import create_source

ROWS = 1_000_000


def measure() -> list[Figure]:
    """Measure an import against the bare insert of encoded rows, and how memory grows meanwhile."""
    source, _ = create_source("History bench")
    batches = [make_rows(source.pk, 2000) for _ in range(10)]
    with open_connection("bench", timeout_ms=60_000) as connection:

        def insert() -> int:
            write_batch(connection, batches.pop())
            return 2000

        bare = time_best(insert, rounds=10)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "history.csv"
        _write(path)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        columns = {name: name for name in ("event", "user_id", "anonymous_id", "message_id", "timestamp")}
        mapping = ColumnMap(columns=columns, zone=UTC)
        items = (make_item(row, mapping) if isinstance(row, Row) else row for row in read_rows(path))
        options = {"source_id": source.pk, "retention": timedelta(days=400), "waits": False}
        tune_interpreter()
        for report in load_items(items, refuse=print, progress=lambda count: None, **options):  # type: ignore[arg-type] # noqa: B007
            pass
        rate = ROWS / (time.perf_counter() - start)
        growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert report.taken == ROWS
    return [
        Figure(
            work=f"import of {ROWS:,} rows of history from CSV (memory + {growth:.0f} MB)",
            measured=f"{rate:,.0f} rows/s",
            bare=f"{bare:,.0f} rows/s",
            ratio=f"{rate / bare:.0%}",
            target="≥ 30,000 rows/s",
        )
    ]


def _write(path: Path) -> None:
    start = datetime.now(UTC) - timedelta(days=90)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["event", "user_id", "timestamp", "total", "category"])
        for number in range(ROWS):
            moment = (start + timedelta(seconds=number * 5)).isoformat()
            writer.writerow(["order", f"user-{number % 50_000}", moment, number % 300, "lamps"])
