"""Upkeep of the log: partitions, ticks, what has served its time."""

from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection

from tracking.log.partitions import AHEAD, drop_partitions, ensure_partitions

_DEDUP_KEPT = timedelta(days=7)
_COUNTS_KEPT = timedelta(days=35)
_TICKS_KEPT = timedelta(days=2)


def keep_log() -> None:
    """Make partitions ahead, drop those that retention ended, and delete what has served its time beside the log."""
    now = datetime.now(UTC)
    oldest = now - timedelta(days=settings.RETENTION_DAYS + 2)
    ensure_partitions(oldest, now + AHEAD)
    if not connection.in_atomic_block:
        drop_partitions(oldest)
    with connection.cursor() as cursor:
        cursor.execute("delete from event_dedup where created_at < %s", [now - _DEDUP_KEPT])
        cursor.execute("delete from event_count where minute < %s", [now - _COUNTS_KEPT])
        cursor.execute("delete from log_tick where at < %s", [now - _TICKS_KEPT])
