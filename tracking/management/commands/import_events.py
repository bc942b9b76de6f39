"""`manage.py import_events FILE --source NAME`: load history without firing rules."""

import zoneinfo
from argparse import ArgumentParser
from collections import Counter
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
from tracking.importing.rows import FIELDS, ColumnMap, Row, is_csv, make_item, read_header, read_rows
from tracking.importing.types import ColumnTypes, load_known_types, parse_types
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
        parser.add_argument(
            "--types",
            default="",
            help="The types of columns: price:number,active:boolean,zip:text. Without one, a column of a CSV file has "
            "the type that the event's schema says or that apps have sent; what is known of neither stays text.",
        )
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
            types=_read_types(options["types"], is_text=is_csv(path)),
        )
        _check_columns(path, mapping)
        retention = timedelta(days=settings.RETENTION_DAYS)
        ensure_partitions(datetime.now(UTC) - retention - timedelta(days=2), datetime.now(UTC) + AHEAD)
        self._load(path, mapping, source, retention, options)

    def _load(
        self, path: Path, mapping: ColumnMap, source: Source, retention: timedelta, options: dict[str, Any]
    ) -> None:
        refused = path.with_name(path.name + ".refused.jsonl")
        report, reasons = LoadReport(), Refusals()
        tune_interpreter()
        with ExitStack() as stack:
            bar = stack.enter_context(tqdm(total=_count_lines(path), unit=" rows", initial=options["start_line"] - 1))
            output = stack.enter_context(refused.open("wb"))

            def refuse(rejection: Rejection) -> None:
                output.write(msgspec.json.encode(rejection) + b"\n")
                reasons.add(rejection)

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
        for line in _say_types(mapping.types):
            self.stdout.write(line)
        if not report.refused:
            refused.unlink()
            return
        for line in (*reasons.say(), *_say_age(report, retention)):
            self.stdout.write(line)
        self.stdout.write(f"The refused rows and why: {refused}")
        if not report.taken:
            raise CommandError("No row was imported: all were refused.", returncode=1)


class Refusals:
    """How many rows were refused for which reason, and the first of each."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first: dict[str, Rejection] = {}

    def add(self, rejection: Rejection) -> None:
        """Count a row."""
        self.counts[rejection.code] += 1
        self.first.setdefault(rejection.code, rejection)

    def say(self) -> list[str]:
        """Return a line for each reason, the most frequent first."""
        return [
            f"  {count:,} × {code}, first in row {self.first[code].index}: {self.first[code].message}"
            for code, count in self.counts.most_common()
        ]


def _say_age(report: LoadReport, retention: timedelta) -> list[str]:
    if report.oldest is None:
        return []
    days = (datetime.now(UTC) - report.oldest).days + 1
    return [
        f"  {report.too_old:,} of them are older than the {retention.days} days that events are kept. To import all, "
        f"set RETENTION_DAYS to {days} or more for every process, and import the file again."
    ]


def _say_types(types: ColumnTypes | None) -> list[str]:
    if types is None:
        return []
    unmet = [f"--types names {', '.join(sorted(types.unmet))}, which no row has."] if types.unmet else []
    if not types.converted:
        return unmet
    said = ", ".join(f"{event}.{column} ({kind})" for (event, column), kind in sorted(types.converted.items())[:20])
    return [*unmet, f"Not text, since the schema or the apps' own events say so: {said}."]


def _read_types(text: str, *, is_text: bool) -> ColumnTypes:
    """Only a CSV file says nothing of types itself."""
    try:
        return ColumnTypes(parse_types(text), load_known_types if is_text else lambda event: {})
    except ValueError as error:
        raise CommandError(str(error)) from None


def _check_columns(path: Path, mapping: ColumnMap) -> None:
    """Of a CSV file all columns are known before anything is imported: a name that is none of them is a mistake."""
    if not is_csv(path) or mapping.types is None:
        return
    header = read_header(path)
    asked = {column for field, column in mapping.columns.items() if column != field} | set(mapping.types.named)
    if unknown := asked.difference(header):
        told = f"There is no column {', '.join(sorted(unknown))} in {path.name}."
        raise CommandError(f"{told} There are: {', '.join(header)}.")


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
    return max(lines - is_csv(path), 0)


def _show(bar: "tqdm[Any]", count: int) -> None:
    bar.update(count)
