"""Beat with one leader: two of them would start everything twice."""

from typing import Any

import psycopg
from django.core.cache import cache
from django.db import connection
from django_celery_beat.schedulers import DatabaseScheduler
from structlog import get_logger

from engagement.lib.postgres import open_connection

_LOCK = 0x62656174
_LED = """
select exists (select from pg_locks where locktype = 'advisory' and granted and objsubid = 1 and classid = 0
                  and objid = %s and database = (select oid from pg_database where datname = current_database()))
"""
_STANDBY_SECONDS = 1.0
_TIMEOUT_MS = 60_000
_WAITING_SECONDS = 5
"""After so long a message counts as lost: with its broker, or with the worker that had fetched it."""

log = get_logger()


def note_fetched(task: str) -> None:
    """Say that a worker has begun with a task, so that the next message may be sent."""
    cache.delete(f"waiting:{task}")


def is_somebody_leading() -> bool:
    """Whether a beat holds the lock, on whatever machine."""
    with connection.cursor() as cursor:
        cursor.execute(_LED, [_LOCK])
        return bool(cursor.fetchone()[0])


class LeaderScheduler(DatabaseScheduler):  # type: ignore[misc]
    """Starts tasks only while it holds an advisory lock, on a connection of its own.

    A lost connection is a lost lock: PostgreSQL frees it at once, and another beat takes over.
    """

    _connection: psycopg.Connection[tuple[Any, ...]] | None = None
    _is_leader = False

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Start what is due and return the seconds until the next look."""
        if not self._lead():
            return _STANDBY_SECONDS
        pause: float = super().tick(*args, **kwargs)
        return min(pause, _STANDBY_SECONDS)

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send a task's message unless its last one still waits: while no worker is there, they must not pile up."""
        if cache.add(f"waiting:{entry.task}", 1, timeout=_WAITING_SECONDS):
            try:
                self.apply_async(entry, producer=producer, advance=False)
            except Exception as error:
                # celery says it with two tracebacks, each second, for each task.
                log.warning("task_not_sent", task=entry.task, error=str(error))
                note_fetched(entry.task)

    def _lead(self) -> bool:
        try:
            if self._connection is None:
                self._is_leader = False
                self._connection = open_connection("engagement-beat", timeout_ms=_TIMEOUT_MS)
            if self._is_leader:
                self._connection.execute("select 1")
                return True
            row = self._connection.execute("select pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
            self._is_leader = bool(row and row[0])
        except psycopg.Error:
            self._connection, self._is_leader = None, False
        return self._is_leader
