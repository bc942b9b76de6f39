"""Keeping what is not in the log: what was refused, as far as there is room; what is held, always or not at all.

What is *refused* is kept so that somebody can see why: bounded, in a transaction of its own, never in the way of what
was accepted. What is *held* was promised to the client: it is on disk before the answer, or the answer says otherwise.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import structlog
from django.db import DatabaseError, connection, transaction

from engagement.lib.ids import compute_boundary
from tracking.erasure.tombstones import Tombstone, hold_tombstones, is_erased
from tracking.event import Rejection
from tracking.identities import find_identities
from tracking.models import Quarantined, Source

MAX_PAYLOAD = 32 * 1024
MAX_PER_HOUR = 1_000
"""Refused items kept for each source and hour; what is refused beyond that is counted, and not kept."""
MAX_HELD = 100_000
"""Items held for a source until somebody sends them on or deletes them, give or take what comes in a few seconds."""
NO_ROOM = "quarantine_full"
_COUNT_IS_FRESH = 2.0
_TIMED = 7
"""The version of an event's id, which carries its moment; that of a webhook's payload carries none."""
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_NAME = 200
_MAX_FIELD = 250
"""Characters, as of a name: both are parts of an index's key, which holds at most 2,704 bytes."""

log = structlog.get_logger()

_lock = threading.Lock()
_held: dict[int, tuple[float, int]] = {}


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A rejection, the payload that caused it, the dialect that reads it, and who sent it.

    What came by a hook names it, with the headers that its mapping may name. `people` are the profiles that it belongs
    to, where it was understood as far as that; none: the text is searched for them. `happened_at` is the client's time.
    """

    rejection: Rejection
    payload: bytes
    dialect: str
    event_name: str
    is_public: bool
    hook_id: int | None = None
    headers: dict[str, str] | None = None
    people: tuple[UUID, ...] = ()
    happened_at: datetime | None = None


class _Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A row, whose it is where it was understood, and the id that tells when it happened, as far as anything does."""

    row: Quarantined
    people: tuple[UUID, ...]
    mark: UUID | None


class HoldFailed(Exception):
    """It is not known whether the items are held: the client must send them again."""


def keep_refused(
    source_id: int, refused: Sequence[Rejection], describe: Callable[[Rejection], Refused], now: datetime
) -> None:
    """Keep refused items of a source for somebody to read, mend and send again: as `describe` returns each of them,
    which is asked only for those that there is room for."""
    try:
        room = MAX_PER_HOUR - _count_last_hour(source_id, now)
        rows = [_prepare(source_id, describe(one), now) for one in refused[: max(room, 0)]]
        with transaction.atomic():
            Quarantined.objects.bulk_create(_leave_out_erased(rows))
    except DatabaseError as error:
        # The client has its answer with the reason either way; losing the copy must not fail the accepted items.
        log.warning("quarantine_failed", source_id=source_id, error=str(error))
        return
    if len(refused) > room:
        log.warning("quarantine_full", source_id=source_id, refused=len(refused) - max(room, 0))


def hold_items(source_id: int, items: Sequence[Refused], now: datetime) -> int:
    """Hold items of a source; return how many there was room for, the first ones. A retry is held once.

    One of somebody who has been erased since it happened is done with, as it would be in the log.
    Raises HoldFailed when it is not known whether they are on disk.
    """
    try:
        room = max(MAX_HELD - _count_held(source_id), 0)
        prepared = [_prepare(source_id, item, now) for item in items[:room]]
        with transaction.atomic():
            rows = _leave_out_erased(prepared)
            # In the order of their ids: two requests with the same items cannot deadlock.
            rows.sort(key=lambda row: row.event_id.int if row.event_id is not None else 0)
            Quarantined.objects.bulk_create(rows, ignore_conflicts=True)
    except DatabaseError as error:
        raise HoldFailed(str(error)) from error
    _count_more(source_id, len(rows))
    if len(items) > room:
        log.warning("quarantine_full", source_id=source_id, held=False, refused=len(items) - room)
    return min(room, len(items))


def _leave_out_erased(prepared: Sequence[_Prepared]) -> list[Quarantined]:
    """Return the rows but those of somebody who was erased after they happened: a retry brings nothing back. One that
    belongs to several people went with each of them."""
    people = {person for one in prepared if one.mark is not None for person in one.people}
    tombstones = hold_tombstones(connection.connection, people)
    return [one.row for one in prepared if not _is_gone(one, tombstones)]


def _is_gone(one: _Prepared, tombstones: Mapping[UUID, Tombstone]) -> bool:
    mark = one.mark
    return mark is not None and any(is_erased(tombstones, person, mark) for person in one.people)


def _prepare(source_id: int, item: Refused, now: datetime) -> _Prepared:
    return _Prepared(row=_describe(source_id, item, now), people=item.people, mark=_find_mark(item))


def _find_mark(item: Refused) -> UUID | None:
    """A webhook's payload, what was not understood and what has no time of its own cannot be told from new ones."""
    held_as, happened_at = item.rejection.held_as, item.happened_at
    if not item.people:
        return None
    if held_as is not None and held_as.version == _TIMED:
        return held_as
    if happened_at is not None and happened_at >= _FIRST:
        return compute_boundary(happened_at)
    return None


def list_full(now: datetime) -> list[str]:
    """Return the names of the sources of which no more is kept, or held."""
    return [
        name
        for source_id, name in Source.objects.order_by("name").values_list("pk", "name")
        if _count_last_hour(source_id, now) >= MAX_PER_HOUR or _count_held(source_id) >= MAX_HELD
    ]


def _count_last_hour(source_id: int, now: datetime) -> int:
    since = now - timedelta(hours=1)
    rows = Quarantined.objects.filter(source_id=source_id, received_at__gte=since, is_held=False)
    return rows[:MAX_PER_HOUR].count()


def _count_held(source_id: int) -> int:
    """Return how many items of a source wait, as of some seconds ago: an index answers, and not for each request."""
    counted_at, number = _held.get(source_id, (0.0, 0))
    if time.monotonic() - counted_at < _COUNT_IS_FRESH:
        return number
    number = Quarantined.objects.filter(source_id=source_id, is_held=True, resent_at__isnull=True)[:MAX_HELD].count()
    with _lock:
        _held[source_id] = (time.monotonic(), number)
    return number


def _count_more(source_id: int, number: int) -> None:
    with _lock:
        counted_at, before = _held.get(source_id, (0.0, 0))
        _held[source_id] = (counted_at, before + number)


def forget_counts() -> None:
    """Count anew: after many were sent on, or for a database that was emptied."""
    with _lock:
        _held.clear()


def _describe(source_id: int, item: Refused, now: datetime) -> Quarantined:
    rejection = item.rejection
    is_held = rejection.held_as is not None
    payload = item.payload if is_held else item.payload[:MAX_PAYLOAD]
    return Quarantined(
        source_id=source_id,
        received_at=now,
        code=rejection.code,
        field=_clean(rejection.field or "")[:_MAX_FIELD],
        message=_clean(rejection.message),
        event_name=_clean(item.event_name)[:_MAX_NAME],
        payload=payload,
        dialect=item.dialect,
        is_held=is_held,
        is_public=item.is_public,
        event_id=rejection.held_as,
        hook_id=item.hook_id,
        headers=item.headers,
        people=list(item.people) or find_identities(source_id, payload),
    )


def _clean(text: str) -> str:
    """Names that a client chose may stand in a reason: PostgreSQL refuses U+0000 and half surrogate pairs in text."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
