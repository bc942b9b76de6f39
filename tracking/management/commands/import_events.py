"""`manage.py import_events FILE --source NAME`: load history without firing rules."""

import zoneinfo
from argparse import ArgumentParser
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from engagement.lib.interpreter import tune_interpreter
from tracking.event import Rejection
from tracking.importing.load import LoadReport, load_items
from tracking.importing.rows import FIELDS, ColumnMap, Row, make_item, read_rows
from tracking.log.partitions import AHEAD, ensure_partitions
from tracking.models import Source


class Command(BaseCommand):
    """Load a CSV or JSON Lines file. Importing it again adds nothing; an interrupted import can be continued."""

    help = "Load history from a CSV (with a header) or JSON Lines file, without firing rules."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--source", required=True, help="The name of the source that the events belong to.")
        for field in FIELDS:
            option = f"--{field.replace('_', '-')}-column"
            parser.add_argument(option, default=field, dest=field, help=f"The column of the {field} ({field}).")
        parser.add_argument("--event", dest="constant_event", help="The name of every event, where no column has it.")
        parser.add_argument("--time-zone", help="The zone of times without one, such as Europe/Berlin.")
        parser.add_argument("--start-line", type=int, default=1, help="Continue from this line.")
        parser.add_argument("--no-wait", action="store_true", help="Do not wait for the evaluator to keep up.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import."""
        source = Source.objects.filter(name=options["source"]).first()
        if source is None:
            raise CommandError(f"There is no source {options['source']!r}. Make it with `manage.py source add`.")
        path: Path = options["file"]
        if not path.is_file():
            raise CommandError(f"There is no file {path}.")
        mapping = ColumnMap(
            columns={field: options[field] for field in FIELDS},
            zone=_read_zone(options["time_zone"]),
            constant_event=options["constant_event"],
        )
        retention = timedelta(days=settings.RETENTION_DAYS)
        ensure_partitions(datetime.now(UTC) - retention - timedelta(days=2), datetime.now(UTC) + AHEAD)
        self._load(path, mapping, source, retention, options)

    def _load(
        self, path: Path, mapping: ColumnMap, source: Source, retention: timedelta, options: dict[str, Any]
    ) -> None:
        refused = path.with_name(path.name + ".refused.jsonl")
        report = LoadReport()
        tune_interpreter()
        with ExitStack() as stack:
            bar = stack.enter_context(tqdm(total=_count_lines(path), unit=" rows", initial=options["start_line"] - 1))
            output = stack.enter_context(refused.open("wb"))

            def refuse(rejection: Rejection) -> None:
                output.write(msgspec.json.encode(rejection) + b"\n")

            rows = read_rows(path, options["start_line"])
            items = (make_item(row, mapping) if isinstance(row, Row) else row for row in rows)
            try:
                for report in load_items(  # noqa: B007
                    items,
                    source_id=source.pk,
                    retention=retention,
                    refuse=refuse,
                    progress=lambda count: _show(bar, count),
                    waits=not options["no_wait"],
                ):
                    pass
            except KeyboardInterrupt:
                raise CommandError(f"Stopped. Continue with --start-line {report.line + 1}.") from None
        known = f", {report.known} were in the log already" if report.known else ""
        self.stdout.write(f"{report.taken - report.known} events imported{known}, {report.refused} rows refused.")
        if report.refused:
            self.stdout.write(f"The refused rows and why: {refused}")
        else:
            refused.unlink()


def _read_zone(name: str | None) -> zoneinfo.ZoneInfo | None:
    if name is None:
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise CommandError(f"There is no time zone {name!r}.") from None


def _count_lines(path: Path) -> int:
    """Count quickly, for the progress bar only: a quoted line break counts as a row."""
    with path.open("rb") as file:
        lines = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    return max(lines - (path.suffix.lower() == ".csv"), 0)


def _show(bar: "tqdm[Any]", count: int) -> None:
    bar.update(count)
