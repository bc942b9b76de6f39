"""Sending again what is not in the log: as it came, by the original source, key, moment and message id.

Twice sent is once stored: an item without a message id gets one that is computed from its row.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
import structlog
from django.contrib.auth.models import User
from django.db import Error, transaction
from django.db.models import Max, QuerySet

from tracking.acceptance import check_offer
from tracking.caller import Caller
from tracking.event import Item, Rejection
from tracking.given_ids import MARK as DROPPED_IDS
from tracking.hooks import hold
from tracking.hooks.known import describe_hook
from tracking.intake import Intake
from tracking.log.append import AppendFailed, Stored
from tracking.log.write import Row
from tracking.models import Hook, Quarantined, Resending
from tracking.quarantine import HoldFailed, forget_counts
from tracking.wire.dialects import DIALECTS
from tracking.wire.request import WireError

BATCH = 10
"""Items that are locked, and sent, at once: each may take seconds, and a task ends after two minutes."""
PREVIEWED = 1_000
_PREVIEW_SECONDS = 5.0
_KEPT_REFUSED = timedelta(days=30)
_KEPT_RESENT = timedelta(days=7)
_DELETED_AT_ONCE = 5_000
_GONE = Rejection(index=0, code="unknown_source", message="Its source is disabled, or its webhook is gone.")
Result = TypeVar("Result")
log = structlog.get_logger()
_item_decoder = msgspec.json.Decoder(Item)


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The open items with one reason: what can be sent again together."""

    source_id: int
    is_held: bool
    code: str
    field: str
    event_name: str

    def find_rows(self) -> QuerySet[Quarantined]:
        """Return its open items, the oldest first."""
        return _find_open(**msgspec.structs.asdict(self))


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the first items would be taken now, and why the others would not be: (sentence, number)."""

    looked_at: int
    fitting: int
    reasons: list[tuple[str, int]]


def _find_open(**narrowed: Any) -> QuerySet[Quarantined]:
    rows = Quarantined.objects.filter(**narrowed, resent_at__isnull=True)
    return rows.select_related("hook__source").order_by("id")


def preview_group(group: Group, intake: Intake) -> Preview:
    """Return what sending a group again would do. Writes nothing."""
    reasons: Counter[str] = Counter()
    number, deadline = 0, time.monotonic() + _PREVIEW_SECONDS
    # A webhook's payload may be a megabyte: few at a time, and no longer than somebody waits for a page.
    for row in group.find_rows()[:PREVIEWED].iterator(chunk_size=BATCH):
        number += 1
        problem = _guard(row, lambda row: find_problem(row, intake))
        if problem is not None:
            reasons[problem.message] += 1
        if time.monotonic() >= deadline:
            break
    return Preview(looked_at=number, fitting=number - reasons.total(), reasons=reasons.most_common(5))


def find_problem(row: Quarantined, intake: Intake) -> Rejection | None:
    """Return why a quarantined item would not be taken now. Writes nothing."""
    if row.dialect != hold.DIALECT:
        checked = check_row(row, intake)
        return checked if isinstance(checked, Rejection) else None
    if row.hook is None or row.source_id not in intake.registry.by_id:
        return _GONE
    try:
        return hold.find_problem(hold.map_body(describe_hook(row.hook), bytes(row.payload), row.headers or {}))
    except WireError as error:
        return Rejection(index=0, code=error.code, field=error.field, message=error.message)


def check_row(
    row: Quarantined, intake: Intake, item: Item | Rejection | None = None, *, as_server: bool = False
) -> Row | Rejection:
    """Return the row of the log that a quarantined item would become, or why it is not taken. Writes nothing.

    `item` is what somebody made of it; None: as it came. `as_server`: whoever sent it, it is trusted as the source's
    server is.
    """
    source = intake.registry.by_id.get(row.source_id)
    if source is None:
        return _GONE
    parsed = item or read_item(row)
    if isinstance(parsed, Rejection):
        return parsed
    if parsed.message_id is None:
        parsed = msgspec.structs.replace(parsed, message_id=f"quarantined-{row.pk}")
    if row.is_held:
        # Who spoke was checked when it came; the proof is not kept.
        source = msgspec.structs.replace(source, demands_user_hash=False)
    caller = Caller(source=source, is_public=row.is_public and not as_server, origin=None)
    then = msgspec.structs.replace(intake, now=row.received_at)
    return check_offer(parsed, caller, then, happened_at=row.received_at)


def read_item(row: Quarantined) -> Item | Rejection:
    """Return a quarantined item as it came."""
    payload = bytes(row.payload)
    try:
        # Only what was understood has a name, and is kept in the platform's own shape. What was not is its sender's own
        # text, and may have that shape too: then nothing of it is ours to believe.
        return _item_decoder.decode(payload) if row.event_name else DIALECTS[row.dialect].parse_item(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Rejection(index=0, code="invalid_json", message="It was too large to be kept whole.")
    except WireError as error:
        return Rejection(index=0, code=error.code, field=error.field, message=error.message)


def keep_marks(mended: Item | Rejection, original: Item | Rejection) -> Item | Rejection:
    """Return what somebody wrote with what only the platform may say of it."""
    if isinstance(mended, Rejection) or isinstance(original, Rejection):
        return mended
    marks = {name: value for name, value in original.context.items() if name[:1] == "$" and name != DROPPED_IDS}
    return msgspec.structs.replace(mended, context=mended.context | marks, is_import=original.is_import)


def send_rows(rows: Sequence[Quarantined], intake: Intake) -> list[Rejection | None]:
    """Append quarantined items; return for each why it was not taken, None for what is in the log now.

    What is taken is marked. Raises AppendFailed when it is not known whether they are stored: send them once more.
    """
    problems: dict[int, Rejection] = {}
    ready: list[tuple[int, Row]] = []
    for row in rows:
        result = _guard(row, lambda row: _read_again(row, intake))
        if isinstance(result, Row):
            ready.append((row.pk, result))
        elif result is not None:
            problems[row.pk] = result
    for (pk, _), outcome in zip(ready, intake.appender.append([row for _, row in ready]), strict=True):
        if not isinstance(outcome, Stored):
            problems[pk] = Rejection(index=0, code="unstorable", message=outcome.message)
    sent = [row.pk for row in rows if row.pk not in problems]
    Quarantined.objects.filter(pk__in=sent).update(resent_at=intake.now)
    return [problems.get(row.pk) for row in rows]


def _guard(row: Quarantined, read: Callable[[Quarantined], Result]) -> Result | Rejection:
    """Read an item; what breaks on one must not keep the others from being sent. Raises what says that nothing was."""
    try:
        return read(row)
    except (AppendFailed, HoldFailed, Error):
        raise
    except Exception:
        log.exception("quarantined_item_unreadable", quarantined_id=row.pk)
        message = "It, or what reads it, is broken: the log of the process says where."
        return Rejection(index=0, code="unreadable", message=message)


def _read_again(row: Quarantined, intake: Intake) -> Row | Rejection | None:
    return _map_again(row, intake) if row.dialect == hold.DIALECT else check_row(row, intake)


def _map_again(row: Quarantined, intake: Intake) -> Rejection | None:
    try:
        return hold.find_rejection(hold.send_again(row, bytes(row.payload), intake))
    except WireError as error:
        return Rejection(index=0, code=error.code, field=error.field, message=error.message)


def start_resending(group: Group, by: User | None, now: datetime) -> Resending:
    """Have everything of a group that is there now sent again, in the background."""
    return _start(Resending(**msgspec.structs.asdict(group), started_at=now, started_by=by))


def start_mapping_again(hook: Hook, by: User | None, now: datetime) -> Resending:
    """Have every held payload of a webhook mapped by today's mapping, in the background."""
    run = Resending(source=hook.source, hook=hook, is_held=True, code="held", started_at=now, started_by=by)
    return _start(run)


def _start(run: Resending) -> Resending:
    rows = _find_rows(run)
    run.last_id = rows.values_list("id", flat=True).last() or 0
    run.total = rows.count()
    run.save()
    return run


def _find_rows(run: Resending) -> QuerySet[Quarantined]:
    if run.hook_id is not None:
        return _find_open(hook_id=run.hook_id)
    return Group(**{name: getattr(run, name) for name in Group.__struct_fields__}).find_rows()


def run_resendings(intake: Intake, seconds: float) -> None:
    """Go on with what was begun, for about so long. Safe beside another one: each batch locks its row."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with transaction.atomic():
            open_runs = Resending.objects.filter(finished_at__isnull=True).order_by("id")
            run = open_runs.select_for_update(skip_locked=True).first()
            if run is None:
                return
            _send_batch(run, intake)


def _send_batch(run: Resending, intake: Intake) -> None:
    # Locked: what somebody mends meanwhile is theirs, and what is sent here is not mended.
    locked = _find_rows(run).select_for_update(of=("self",))
    rows = list(locked.filter(id__gt=run.position, id__lte=run.last_id)[:BATCH])
    problems = send_rows(rows, intake) if rows else []
    run.sent += problems.count(None)
    run.left += len(problems) - problems.count(None)
    run.first_problem = run.first_problem or next((one.message for one in problems if one is not None), "")
    if rows:
        run.position = rows[-1].pk
    else:
        run.finished_at = intake.now
        forget_counts()
    run.save(update_fields=["sent", "left", "first_problem", "position", "finished_at"])


def delete_old(now: datetime) -> None:
    """Delete what was refused and nobody has mended for a month, and what was sent again a week ago.

    What is held was promised to its sender: it stays until a person decides.
    """
    delete_rows(Quarantined.objects.filter(is_held=False, received_at__lt=now - _KEPT_REFUSED))
    delete_rows(Quarantined.objects.filter(resent_at__lt=now - _KEPT_RESENT))
    Resending.objects.filter(finished_at__lt=now - _KEPT_REFUSED).delete()


def delete_rows(rows: QuerySet[Quarantined]) -> int:
    """Delete the items that there are now, in small transactions; return how many. What comes meanwhile stays."""
    number = 0
    rows = rows.filter(pk__lte=rows.aggregate(last=Max("pk"))["last"] or 0)
    while ids := list(rows.order_by("pk").values_list("pk", flat=True)[:_DELETED_AT_ONCE]):
        number += Quarantined.objects.filter(pk__in=ids).delete()[0]
    return number
