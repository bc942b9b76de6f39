"""Partitions of the log: one a month, made ahead, dropped whole when retention ends.

Months rather than weeks: a read of a lane visits every partition, and takes locks on each of its indexes.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction
from psycopg import sql

from engagement.lib.ids import LANES, compute_boundary

AHEAD = timedelta(days=62)
_DETACHED = r"""
select relname from pg_class
 where relkind = 'r' and relname ~ '^event_\d{4}_\d{2}$' and relname < %s and pg_table_is_visible(oid)
   and not exists (select from pg_inherits where inhrelid = pg_class.oid) order by 1
"""

# The greatest number of each lane, which the index has: of all at once it would have to be looked for in every row.
_IS_READ = """
select coalesce(max(greatest), 0) <= coalesce((select min(position) from lane_cursor), 0)
  from generate_series(0, %s) of_lane, lateral (select max(seq) as greatest from {} where lane = of_lane) one
"""


def ensure_partitions(since: datetime, until: datetime) -> int:
    """Make the partitions that cover `since` to `until` and are lacking; return how many were made.

    A partition is made plainly with its bound as a check and then attached, which blocks nobody; creating it as a
    partition at once would lock the log against everything.
    """
    missing = set(list_missing_partitions(since, until))
    for start, end in _list_months(since, until):
        if _name(start) in missing:
            _make_partition(_name(start), start, end)
    return len(missing)


def list_missing_partitions(since: datetime, until: datetime) -> list[str]:
    """Return the names of the partitions that `since` to `until` needs and that are not there."""
    existing = load_partition_names()
    return [name for start, _ in _list_months(since, until) if (name := _name(start)) not in existing]


def load_partition_names() -> set[str]:
    """Return the names of the log's partitions."""
    with connection.cursor() as cursor:
        cursor.execute("select inhrelid::regclass::text from pg_inherits where inhparent = 'event'::regclass")
        return {row[0] for row in cursor.fetchall()}


def find_last_covered_moment() -> datetime | None:
    """Return the end of the last partition: an event beyond it could not be stored."""
    names = sorted(load_partition_names())
    if not names:
        return None
    year, month = names[-1].removeprefix("event_").split("_")
    return _next_month(datetime(int(year), int(month), 1, tzinfo=UTC))


def drop_partitions(before: datetime) -> list[str]:
    """Drop the partitions that end before a moment and that every consumer has read to their end; return their names.

    Detached first, which blocks nobody, and then dropped: a detached one that could not be dropped is dropped later.
    """
    last_month = f"event_{before.astimezone(UTC):%Y_%m}"
    dropped = _drop_detached(last_month)
    for name in sorted(load_partition_names()):
        if name >= last_month or not _is_read(name):
            continue
        with connection.cursor() as cursor:
            table = sql.Identifier(name)
            cursor.execute(sql.SQL("alter table event detach partition {} concurrently").format(table).as_string(None))
            cursor.execute(sql.SQL("drop table {}").format(table).as_string(None))
        dropped.append(name)
    return dropped


def _drop_detached(last_month: str) -> list[str]:
    """Drop what was detached and then could not be dropped: nobody reads it, and it must not be kept."""
    with connection.cursor() as cursor:
        cursor.execute(_DETACHED, [last_month])
        names = [row[0] for row in cursor.fetchall()]
        for name in names:
            cursor.execute(sql.SQL("drop table {}").format(sql.Identifier(name)).as_string(None))
    return names


def _is_read(name: str) -> bool:
    """Whether every cursor is past the partition's greatest seq; an empty partition always is."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(_IS_READ).format(sql.Identifier(name)).as_string(None), [LANES - 1])
        return bool(cursor.fetchone()[0])


def _list_months(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    start = since.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while start <= until:
        end = _next_month(start)
        yield start, end
        start = end


def _name(start: datetime) -> str:
    return f"event_{start:%Y_%m}"


def _next_month(start: datetime) -> datetime:
    return (start + timedelta(days=32)).replace(day=1)


def _make_partition(name: str, start: datetime, end: datetime) -> None:
    table = sql.Identifier(name)
    lower, upper = (sql.Literal(str(compute_boundary(moment))) for moment in (start, end))
    check = sql.Identifier(f"{name}_bound")
    statements = (
        "set local lock_timeout = '1s'",
        "create table {table} (like event including defaults)",
        "alter table {table} add constraint {check} check (id >= {lower} and id < {upper})",
        "alter table event attach partition {table} for values from ({lower}) to ({upper})",
        "alter table {table} drop constraint {check}",
    )
    from_names = {"table": table, "check": check, "lower": lower, "upper": upper}
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(sql.SQL(statement).format(**from_names).as_string(None))
