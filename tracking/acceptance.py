"""What becomes of the items that a request, a webhook or a person in the admin brings: check → stamp → append.

What is refused, or does not fit the schema in force where its type's policy says so, goes to quarantine.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

import msgspec

from tracking.arrival import blank_payload, check_speaker, encode_understood, settle_items
from tracking.caller import Caller
from tracking.event import BOT, Item, Receipt, Rejection, Stamp, stamp_item
from tracking.identities import list_people
from tracking.intake import Intake
from tracking.log.append import Appender, Stored
from tracking.log.write import Row, encode_row
from tracking.quarantine import NO_ROOM, Refused, hold_items, keep_refused
from tracking.refusals import get_tally
from tracking.registry import Registry
from tracking.schema.fit import ACCEPT, MISMATCH, QUARANTINE, Gate, Misfit, find_misfit
from tracking.schema.validate import MAX_EVENT, check_item
from tracking.steps import Append, Blocking, Steps, run_steps
from tracking.wire.dialect import Parsed
from tracking.wire.native import NATIVE


class NoRoom(Exception):
    """Nothing of a request was taken, and some of it would have been held, had the quarantine not been full.

    What is invalid beside that is refused, and kept, when the client sends again and there is room: to refuse it now
    would make most clients drop the whole request.
    """


def offer_items(items: Parsed, caller: Caller, intake: Intake, *, happened_at: datetime | None = None) -> list[Receipt]:
    """Check, stamp and append a caller's items; return a receipt for each, in order.

    What is refused, or would be held, is not kept: that is up to who calls. `happened_at` is the moment of items
    without a time. Raises AppendFailed when it is not known whether they are stored.
    """
    settled = settle_items(items, caller)
    rows, rejections = _check_all(settled, caller, intake, looks=True, happened_at=happened_at)
    receipts = run_steps(_append(rows, rejections, intake.appender))
    return sorted(receipts, key=lambda receipt: receipt.index)


def check_offer(item: Item, caller: Caller, intake: Intake, *, happened_at: datetime) -> Row | Rejection:
    """Check and stamp an item of a caller, and store nothing; `happened_at` is its moment where it names none."""
    rows, rejections = _check_all(settle_items([item], caller), caller, intake, looks=True, happened_at=happened_at)
    return rows[0][1] if rows else rejections[0]


def take_items(
    items: Parsed, caller: Caller, intake: Intake, *, dialect: str, cut: Callable[[int], bytes], looks: bool = True
) -> Steps[list[Receipt]]:
    """Check, stamp and append a caller's settled items; return a receipt for each, in order.

    What is refused goes to quarantine: as the item where it was understood, else as `cut` returns it, in the words of
    `dialect`. `looks`: see `check_item`. Raises AppendFailed or HoldFailed when it is not known whether they are on
    disk, NoRoom when nothing was taken and the quarantine is full: then nothing is kept either.
    """
    rows, rejections = _check_all(items, caller, intake, looks)
    understood = {item.index: item for item in items if isinstance(item, Item)} if rejections else {}

    def describe(rejection: Rejection) -> Refused:
        return _describe_refused(rejection, understood.get(rejection.index), caller, dialect, cut)

    if rejections:
        get_tally().note(caller.source.id, [one.code for one in rejections], intake.now)
    if any(one.held_as is not None for one in rejections):
        rejections = yield Blocking(partial(_hold, rejections, describe, caller, intake))
    receipts = yield from _append(rows, rejections, intake.appender)
    if any(one.code == NO_ROOM for one in rejections) and all(one.outcome == "rejected" for one in receipts):
        raise NoRoom
    refused = [one for one in rejections if one.held_as is None]
    if refused:
        yield Blocking(partial(keep_refused, caller.source.id, refused, describe, intake.now))
    receipts.sort(key=lambda receipt: receipt.index)
    return receipts


def _hold(
    rejections: list[Rejection], describe: Callable[[Rejection], Refused], caller: Caller, intake: Intake
) -> list[Rejection]:
    """Hold what is to be held, before anything is appended; what there is no room for is rejected and says so."""
    held = [one for one in rejections if one.held_as is not None]
    number = hold_items(caller.source.id, [describe(one) for one in held], intake.now)
    if number == len(held):
        return rejections
    full = [_reject_for_room(one) for one in held[number:]]
    return [one for one in rejections if one.held_as is None] + held[:number] + full


def _reject_for_room(rejection: Rejection) -> Rejection:
    message = f"{rejection.message} It would be held in quarantine, which is full: send it again later."
    return Rejection(index=rejection.index, code=NO_ROOM, field=rejection.field, message=message)


def _check_all(
    items: Sequence[Item | Rejection],
    caller: Caller,
    intake: Intake,
    looks: bool,
    happened_at: datetime | None = None,
) -> tuple[list[tuple[int, Row]], list[Rejection]]:
    stamp = Stamp(
        source_id=caller.source.id,
        now=intake.now,
        retention=intake.retention,
        is_public=caller.is_public,
        is_bot=caller.is_bot,
        happened_at=happened_at,
    )
    rows: list[tuple[int, Row]] = []
    rejections: list[Rejection] = []
    for item in items:
        result = _check_one(item, caller, intake.registry, stamp, looks)
        if isinstance(result, Rejection):
            rejections.append(result)
        else:
            rows.append((item.index, result))
    return rows, rejections


def _check_one(
    item: Item | Rejection, caller: Caller, registry: Registry, stamp: Stamp, looks: bool
) -> Row | Rejection:
    if isinstance(item, Rejection):
        return item
    rejection = check_item(item, looks=looks) or _check_name(item, caller, registry) or check_speaker(item, caller)
    if rejection is not None:
        return rejection
    row = _encode(item, stamp)
    gate = registry.gates.get(item.name)
    if gate is None or isinstance(row, Rejection):
        return row
    # What a check costs depends on the size: only here it is known to be within its limit.
    misfit = find_misfit(gate.validator, item.properties)
    if misfit is None:
        return row
    if gate.policy == ACCEPT:
        return _encode(msgspec.structs.replace(item, context=item.context | gate.mark(misfit)), stamp)
    return _refuse_misfit(item, gate, misfit, row.event.id)


def _encode(item: Item, stamp: Stamp) -> Row | Rejection:
    event = stamp_item(item, stamp)
    if isinstance(event, Rejection):
        return event
    row = encode_row(event)
    if len(row.encoded) > MAX_EVENT:
        message = f"An event holds at most {MAX_EVENT} bytes; this one holds {len(row.encoded)}."
        return Rejection(index=item.index, code="event_too_large", message=message)
    return row


def _refuse_misfit(item: Item, gate: Gate, misfit: Misfit, event_id: UUID) -> Rejection:
    held_as = event_id if gate.policy == QUARANTINE else None
    return Rejection(index=item.index, code=MISMATCH, field=misfit.field, message=misfit.message, held_as=held_as)


def _check_name(item: Item, caller: Caller, registry: Registry) -> Rejection | None:
    if not caller.is_public:
        return None
    if item.name in registry.reserved_names:
        message = "This name says what the platform has found out: a page or an app may not."
        return Rejection(index=item.index, code="reserved_event", field="event", message=message)
    if item.name in registry.server_only_names:
        message = "This event is marked “server only”: send it from a server, with the secret key."
        return Rejection(index=item.index, code="server_only", field="event", message=message)
    return None


def _append(rows: list[tuple[int, Row]], rejections: list[Rejection], appender: Appender) -> Steps[list[Receipt]]:
    outcomes = (yield Append(appender, [row for _, row in rows])) if rows else []
    receipts = []
    for (index, _), outcome in zip(rows, outcomes, strict=True):
        if isinstance(outcome, Stored):
            receipts.append(Receipt(index=index, id=outcome.id, outcome="accepted"))
        else:
            rejections.append(Rejection(index=index, code="unstorable", message=outcome.message))
    for rejection in rejections:
        receipts.append(
            Receipt(
                index=rejection.index,
                id=rejection.held_as,
                outcome="rejected" if rejection.held_as is None else "quarantined",
                code=rejection.code,
                field=rejection.field,
                message=rejection.message,
            )
        )
    return receipts


def _describe_refused(
    rejection: Rejection, item: Item | None, caller: Caller, dialect: str, cut: Callable[[int], bytes]
) -> Refused:
    """An item that was understood is kept in the platform's own words, whatever dialect it came in.

    One that is nested too deep is kept as it came: to write it again may take more of the stack than there is.
    """
    people = () if item is None else list_people(caller.source.id, item, caller.is_public)
    happened_at = None if item is None else item.timestamp
    if rejection.code == "too_deep":
        item = None
    if item is not None and caller.is_bot:
        item = msgspec.structs.replace(item, context=item.context | {BOT: True})
    return Refused(
        rejection=rejection,
        payload=blank_payload(cut(rejection.index), caller) if item is None else encode_understood(item),
        dialect=dialect if item is None else NATIVE.name,
        event_name="" if item is None else item.name,
        is_public=caller.is_public,
        people=people,
        happened_at=happened_at,
    )
