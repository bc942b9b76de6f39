"""Keeping what was refused: bounded, in transactions of its own, never in the way of what was accepted."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import structlog
from django.db import DatabaseError

from tracking.event import Rejection
from tracking.models import Quarantined

MAX_PAYLOAD = 32 * 1024
MAX_PER_HOUR = 1_000
"""Items kept for each source and hour; what is refused beyond that is only counted in the log of the process."""

log = structlog.get_logger()


class Refused(msgspec.Struct, frozen=True):
    """A rejection, the payload that caused it and the dialect that reads it."""

    rejection: Rejection
    payload: bytes
    dialect: str


def keep_refused(source_id: int, refused: Sequence[Refused], now: datetime) -> None:
    """Keep refused items of a source for somebody to read, mend and send again."""
    try:
        room = MAX_PER_HOUR - _count_last_hour(source_id, now)
        Quarantined.objects.bulk_create(_describe(source_id, item, now) for item in refused[: max(room, 0)])
    except DatabaseError as error:
        # The client has its answer with the reason either way; losing the copy must not fail the accepted items.
        log.warning("quarantine_failed", source_id=source_id, error=str(error))
        return
    if len(refused) > room:
        log.warning("quarantine_full", source_id=source_id, refused=len(refused) - max(room, 0))


def _count_last_hour(source_id: int, now: datetime) -> int:
    since = now - timedelta(hours=1)
    return Quarantined.objects.filter(source_id=source_id, received_at__gte=since)[:MAX_PER_HOUR].count()


def _describe(source_id: int, item: Refused, now: datetime) -> Quarantined:
    return Quarantined(
        source_id=source_id,
        received_at=now,
        code=item.rejection.code,
        field=item.rejection.field or "",
        message=item.rejection.message,
        payload=item.payload[:MAX_PAYLOAD],
        dialect=item.dialect,
    )
