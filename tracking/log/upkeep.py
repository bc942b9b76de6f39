"""Upkeep of the log: partitions, ticks, what has served its time."""

from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection

from engagement.lib.ids import compute_boundary
from tracking.log.partitions import AHEAD, drop_partitions, ensure_partitions
from tracking.log.retention import find_retention

_MARGIN = timedelta(days=2)
_DEDUP_KEPT = timedelta(days=7)
_COUNTS_KEPT = timedelta(days=35)
_TICKS_KEPT = timedelta(days=2)
_HOOK_PAYLOADS_KEPT = timedelta(days=7)

# What is held stays until somebody sends it on: its sender was told that we have it.
_FORGET_REFUSED = """
delete from tracking_quarantined
 where received_at < %(oldest)s and (not is_held or resent_at < %(oldest)s)
"""
# The error may name whom the event was about. Nothing decides again what is no more.
_FORGET_SET_ASIDE = """
delete from set_aside s
 where event_id < %s and not exists (select from event e where e.id = s.event_id and e.lane = s.lane)
"""


def make_partitions() -> None:
    """Make the partitions that are lacking, from the oldest event that is taken to two months ahead."""
    now = datetime.now(UTC)
    ensure_partitions(now - timedelta(days=settings.RETENTION_DAYS) - _MARGIN, now + AHEAD)


def keep_log() -> None:
    """Make partitions ahead, drop those that retention ended, and delete what has served its time beside the log."""
    now = datetime.now(UTC)
    oldest = now - find_retention() - _MARGIN
    make_partitions()
    if not connection.in_atomic_block:
        drop_partitions(oldest)
    with connection.cursor() as cursor:
        cursor.execute("delete from event_dedup where created_at < %s", [now - _DEDUP_KEPT])
        cursor.execute("delete from event_count where minute < %s", [now - _COUNTS_KEPT])
        cursor.execute("delete from hook_count where hour < %s", [now - _COUNTS_KEPT])
        cursor.execute("delete from hook_payload where received_at < %s", [now - _HOOK_PAYLOADS_KEPT])
        cursor.execute(_FORGET_SET_ASIDE, [compute_boundary(oldest)])
        cursor.execute(_FORGET_REFUSED, {"oldest": oldest})
        cursor.execute("delete from refusal_count where minute < %s", [now - _COUNTS_KEPT])
        cursor.execute("delete from log_tick where at < %s", [now - _TICKS_KEPT])
