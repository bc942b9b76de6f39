"""Empties the database after a test that commits.

Django truncates every table and then makes permissions, groups, schedules and partitions anew, about a quarter of a
second each time, for some two thousand tests. Here only the tables that hold something are truncated; what an
installation begins with stays, and is made anew only after a test that changed it.
"""

from dataclasses import dataclass
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.test import TransactionTestCase
from psycopg import sql

# A table that was never written since its last truncation has no blocks: asking for the size reads none of them.
_WRITTEN = """
    SELECT relname, pg_relation_size(oid) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'django_migrations'
      AND pg_relation_size(oid) > 0
    ORDER BY relname
"""
_SMALL = 65_536
"""Bytes. To truncate a table costs a millisecond for each of its files, to delete a few rows a tenth of one."""
_TABLES = "SELECT relname::text, '' FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"


@dataclass(frozen=True)
class _Installation:
    """What a new installation begins with: its tables and partitions, and each first row's place and version."""

    tables: frozenset[str]
    rows: dict[str, str]


_installation: _Installation | None = None


def empty_database(_: TransactionTestCase) -> None:
    """Take away what a test wrote; stands in for `TransactionTestCase._fixture_teardown`."""
    global _installation
    if _installation is None or _look(_installation.rows) != _installation:
        # No id is given twice in a process: what it remembers by an id would be taken for something else's.
        call_command("flush", verbosity=0, interactive=False, reset_sequences=False)
        _installation = _look(_list(_WRITTEN))
        return
    with connection.cursor() as cursor:
        cursor.execute(_WRITTEN)
        written = [(name, size) for name, size in cursor.fetchall() if name not in _installation.rows]
        large = [sql.Identifier(name) for name, size in written if size > _SMALL]
        if large:
            cursor.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.SQL(", ").join(large)))
        deletes = [sql.SQL("DELETE FROM {}").format(sql.Identifier(name)) for name, size in written if size <= _SMALL]
        if deletes:
            # One transaction: foreign keys are looked at when all is gone.
            cursor.execute(sql.SQL(";").join(deletes))


def _look(kept: Any) -> _Installation:
    """Read all tables' names, and of those that are kept where each row is and who wrote it.

    An update moves a row, even one that changes nothing.
    """
    versions = [
        sql.SQL("SELECT {}, coalesce(string_agg(ctid::text || xmin::text, ' '), '') FROM {}").format(
            sql.Literal(table), sql.Identifier(table)
        )
        for table in kept
    ]
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(" UNION ALL ").join([sql.SQL(_TABLES), *versions]))
        found = dict(cursor.fetchall())
    return _Installation(tables=frozenset(found), rows={table: found[table] for table in kept})


def _list(statement: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [str(row[0]) for row in cursor.fetchall()]
