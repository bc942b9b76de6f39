"""Reading a file of history, row by row. Pure but for the file."""

import csv
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, TextIO

import msgspec

from tracking.event import Item, Rejection
from tracking.importing.types import ColumnTypes, NotOfType
from tracking.wire.fields import parse_leniently, read_id

_EMPTY = ("", None)
_MOST_FIELD = 16 << 20
FIELDS = ("event", "user_id", "anonymous_id", "message_id", "timestamp")


class Row(msgspec.Struct, frozen=True):
    """A row as it came: its line (from 1, the header not counted), its text for the id, and its columns."""

    line: int
    raw: bytes
    columns: dict[str, Any]


class ColumnMap(msgspec.Struct, frozen=True, kw_only=True):
    """Which column holds what. Columns that are not named become properties; a naive time is read in `zone`.

    Without `types` text stays text.
    """

    columns: Mapping[str, str]
    zone: tzinfo | None
    constant_event: str | None = None
    types: ColumnTypes | None = None

    @property
    def own(self) -> frozenset[str]:
        """The columns that are no properties."""
        return _find_own(tuple(self.columns.values()))


@lru_cache(maxsize=8)
def _find_own(columns: tuple[str, ...]) -> frozenset[str]:
    return frozenset((*columns, "properties"))


def is_csv(path: Path) -> bool:
    """Whether a file is read as CSV, by its name."""
    return path.suffix.lower() == ".csv"


def read_header(path: Path) -> list[str]:
    """Return the names of a CSV file's columns."""
    with _open_csv(path) as file:
        return next(csv.reader(file), [])


def read_rows(path: Path, start: int = 1) -> Iterator[Row | Rejection]:
    """Yield the rows of a CSV (with a header) or JSON Lines file from a line on."""
    reader, code = (_read_csv(path), "invalid_csv") if is_csv(path) else (_read_json_lines(path), "invalid_json")
    for line, row in enumerate(reader, 1):
        if line < start:
            continue
        if isinstance(row, str):
            yield Rejection(index=line, code=code, message=row)
        else:
            yield Row(line, *row)


def make_item(row: Row, mapping: ColumnMap) -> Item | Rejection:
    """Return the item that a row tells of.

    Without a message id one is computed from the row's text and line, so that importing a file again adds nothing.
    """
    taken = {field: row.columns.get(column) for field, column in mapping.columns.items()}
    own = mapping.own
    name = str(taken.get("event") or mapping.constant_event or "")
    properties = {column: value for column, value in row.columns.items() if value not in _EMPTY and column not in own}
    nested = row.columns.get("properties")
    if isinstance(nested, dict):
        properties = nested | properties
    elif nested not in _EMPTY:
        properties["properties"] = nested
    if mapping.types is not None:
        for column, value in properties.items():
            try:
                properties[column] = mapping.types.read(name, column, value)
            except NotOfType as error:
                return Rejection(index=row.line, code="invalid_type", field=column, message=str(error))
    moment = _read_moment(taken.get("timestamp"), mapping.zone)
    if moment is None:
        message = _say_what_is_wanted(taken.get("timestamp"))
        return Rejection(index=row.line, code="invalid_timestamp", field="timestamp", message=message)
    digest = blake2b(row.raw, digest_size=12).hexdigest()
    return parse_leniently(
        row.line,
        lambda: Item(
            index=row.line,
            name=name,
            user_id=read_id(taken, "user_id"),
            anonymous_id=read_id(taken, "anonymous_id"),
            message_id=read_id(taken, "message_id") or f"import-{digest}-{row.line}",
            timestamp=moment,
            properties=properties,
        ),
    )


def _open_csv(path: Path) -> TextIO:
    # The library's own bound is below what an event may hold.
    csv.field_size_limit(_MOST_FIELD)
    return path.open(newline="", encoding="utf-8-sig", errors="replace")


def _read_csv(path: Path) -> Iterator[tuple[bytes, dict[str, Any]] | str]:
    with _open_csv(path) as file:
        reader = csv.reader(file)
        names = next(reader, [])
        try:
            for values in reader:
                if not values:
                    continue
                columns: dict[str, Any] = dict(zip(names, values, strict=False))
                if len(values) > len(names):
                    columns["extra_columns"] = values[len(names) :]
                yield repr(columns).encode(), columns
        except csv.Error as error:
            yield f"Nothing is read from this row on: {error}. A quote that is not closed may have begun here."


def _read_json_lines(path: Path) -> Iterator[tuple[bytes, dict[str, Any]] | str]:
    decoder = msgspec.json.Decoder(dict[str, Any])
    with path.open("rb") as file:
        for line in file:
            if not line.strip():
                continue
            try:
                yield line.strip(), decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                yield f"The line is no JSON object: {error}."


def _read_moment(value: Any, zone: tzinfo | None) -> datetime | None:
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value if value < 1e11 else value / 1000, tz=zone or UTC)
        moment = datetime.fromisoformat(str(value).strip())
    except (ValueError, OverflowError, OSError):
        return None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=zone) if zone is not None else None
    return moment


def _say_what_is_wanted(value: Any) -> str:
    if value in _EMPTY:
        return "There is no time. Write one like 2026-11-30T09:30:00Z."
    if _read_moment(value, UTC) is not None:
        return f"{value!r} has no zone. Write 2026-11-30T09:30:00+01:00, or name it: --time-zone Europe/Berlin."
    return f"{value!r} is no time that can be read. Write one like 2026-11-30T09:30:00Z or 2026-11-30T09:30:00+01:00."
