"""What was verified and made no event: held whole until its mapping is mended, then mapped again.

Its sender was told that we have it, so it is stored before the answer, or the answer says to come again.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from engagement.lib.ids import compute_id
from tracking.acceptance import offer_items
from tracking.caller import Caller
from tracking.event import Receipt, Rejection, compute_profile_id
from tracking.hooks.known import KnownHook, describe_hook
from tracking.intake import Intake
from tracking.models import Quarantined
from tracking.quarantine import NO_ROOM, HoldFailed, Refused, hold_items
from tracking.registry import KnownSource
from tracking.wire.hooks.map_payload import Arrived, Mapped, Result, fingerprint_body, map_payload
from tracking.wire.hooks.payload import count_values, read_payload
from tracking.wire.request import WireError

DIALECT = "hook"


def hold(
    hook: KnownHook, body: bytes, headers: dict[str, str], problem: Rejection, mapped: Mapped, now: datetime
) -> None:
    """Keep a payload for somebody to mend its mapping, once for all its retries. Raises HoldFailed.

    A retry is the same payload under the same message id: the mapping that would tell two events of one id apart may be
    what has to be mended.
    """
    message_id = mapped.item.message_id if mapped.item is not None else None
    key = compute_id("hook payload", hook.space, message_id or "", fingerprint_body(body))
    refused = Refused(
        rejection=msgspec.structs.replace(problem, held_as=key),
        payload=body,
        dialect=DIALECT,
        event_name="",
        is_public=False,
        hook_id=hook.id,
        headers=headers,
        people=tuple(filter(None, [find_profile(mapped, hook.source_id)])),
    )
    if not hold_items(hook.source_id, [refused], now):
        raise HoldFailed(NO_ROOM)


def find_profile(mapped: Mapped, source_id: int) -> UUID | None:
    """Return whose a payload is, as far as its mapping tells."""
    item = mapped.item
    if item is None or (item.user_id is None and item.anonymous_id is None):
        return None
    return compute_profile_id(source_id, item.user_id, item.anonymous_id)


def map_body(hook: KnownHook, body: bytes, headers: Mapping[str, str]) -> Mapped:
    """Return what a body becomes by a hook's mapping. Raises WireError where it is no payload."""
    arrived = Arrived(
        payload=read_payload(body),
        headers=headers,
        values=count_values(body),
        fingerprint=fingerprint_body(body),
    )
    return map_payload(hook.compiled, arrived, hook=hook.space, name=hook.name)


def find_problem(mapped: Mapped) -> Rejection | None:
    """Return why a payload is no event, in the form in which the door says so."""
    if mapped.result is not Result.UNCLEAR:
        return None
    problem = mapped.problems[0]
    return Rejection(index=0, code=problem.code, field=problem.field, message=problem.message)


def append_mapped(mapped: Mapped, source: KnownSource, intake: Intake, happened_at: datetime | None = None) -> Receipt:
    """Append the event of a payload, behind what is known of the person; return the event's receipt.

    Raises AppendFailed when it is not known whether it is stored.
    """
    items = [item for item in (mapped.identify, mapped.item) if item is not None]
    numbered = [msgspec.structs.replace(item, index=index) for index, item in enumerate(items)]
    caller = Caller(source=source, is_public=False, origin=None)
    return offer_items(list(numbered), caller, intake, happened_at=happened_at)[-1]


def send_again(row: Quarantined, body: bytes, intake: Intake) -> Receipt:
    """Take a webhook's payload of quarantine again; what is refused again is not kept anew.

    It is mapped by today's mapping; one that this ignores is done with. One without a time of its own happened when it
    came. Raises WireError where the body or the way to read it is gone, AppendFailed when it could not be stored.
    """
    source = intake.registry.by_id.get(row.source_id)
    if source is None:
        raise WireError(400, "unknown_source", "The source is disabled: nothing can be sent under its name.")
    if row.hook is None:
        raise WireError(400, "unknown_hook", "Its webhook was deleted: nothing says what it means.")
    mapped = map_body(describe_hook(row.hook), body, row.headers or {})
    problem = find_problem(mapped)
    if problem is not None:
        return Receipt(index=0, outcome="rejected", code=problem.code, field=problem.field, message=problem.message)
    if mapped.result is Result.IGNORED:
        return Receipt(index=0, outcome="accepted", message=mapped.notes[-1].message)
    then = msgspec.structs.replace(intake, now=row.received_at)
    return append_mapped(mapped, source, then, happened_at=row.received_at)


def find_rejection(receipt: Receipt) -> Rejection | None:
    """Return why a receipt's event is not in the log; None for an accepted one."""
    if receipt.outcome == "accepted":
        return None
    return Rejection(index=0, code=receipt.code or "rejected", field=receipt.field, message=receipt.message or "")
