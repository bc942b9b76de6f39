"""Ending writers of the log that hang: every reader waits below the lowest of them.

`transaction_timeout` does this on the log's own connections from PostgreSQL 17 on. Before it there is no such setting,
and a change made in the admin writes on Django's connection, which has none: so somebody looks, on every version.
"""

from datetime import timedelta

import structlog
from django.db import connection

from tracking.log.write import Connection

PATIENCE = timedelta(seconds=30)
"""Longer than any batch of the evaluator or the import may take."""

# The key's upper 16 bits say that it is ours: see log_register().
_HUNG = """  from (select distinct pid from pg_locks
         where locktype = 'advisory' and objsubid = 1 and classid::bigint >> 16 = 77
           and database = (select oid from pg_database where datname = current_database())) writer
  join pg_stat_activity using (pid)
 where xact_start < clock_timestamp() - make_interval(secs => %s) and pid <> pg_backend_pid()
"""
_END = f"select pid, application_name, clock_timestamp() - xact_start, pg_terminate_backend(pid) {_HUNG}"
_COUNT = f"select count(*) {_HUNG}"

log = structlog.get_logger()


def count_hung_writers(patience: timedelta = PATIENCE) -> int:
    """Return how many connections hold readers back."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [patience.total_seconds()])
        return int(cursor.fetchone()[0])


def end_hung_writers(connection: Connection, patience: timedelta = PATIENCE) -> int:
    """End connections whose writing transaction is older than `patience`; return how many.

    Nothing that was answered is lost: their transactions never were. Only connections of our own role can be ended.
    """
    rows = connection.execute(_END, (patience.total_seconds(),)).fetchall()
    for pid, application, age, ended in rows:
        log.error("hung_writer_ended", pid=pid, application=application, seconds=age.total_seconds(), ended=ended)
    return len(rows)
