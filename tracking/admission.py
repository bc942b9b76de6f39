"""Who is let in: a request is charged to its source's bucket, a public one also to its address's and each person's."""

import math
import threading
import time
from functools import partial

import structlog

from tracking.arrival import check_speaker
from tracking.caller import Caller
from tracking.event import Item
from tracking.limits.limit import Charge, Excess, Limit, Limits, Subject, name_address
from tracking.limits.limiter import Limiter
from tracking.limits.shared import SharedBuckets
from tracking.registry import KnownSource
from tracking.replay import SeenSignatures
from tracking.steps import Blocking, Steps
from tracking.valkey import forget_link, get_link
from tracking.wire.dialect import Parsed
from tracking.wire.request import WireError

_LONGEST_WAIT = 3600
_TOLD_SECONDS = 10.0
_WORDS = {
    Subject.SOURCE: "in all",
    Subject.ADDRESS: "from one address",
    Subject.PERSON: "of one person",
}

log = structlog.get_logger()

_lock = threading.Lock()
_limiter: Limiter | None = None
_seen: SeenSignatures | None = None
_told: dict[tuple[int, Subject], float] = {}


def get_limiter() -> Limiter:
    """Return the limiter of this process."""
    global _limiter
    if _limiter is None:
        with _lock:
            if _limiter is None:
                _limiter = Limiter(SharedBuckets(get_link()))
    return _limiter


def get_seen() -> SeenSignatures:
    """Return the signatures that this process knows."""
    global _seen
    if _seen is None:
        with _lock:
            if _seen is None:
                _seen = SeenSignatures(get_link())
    return _seen


def forget_limiter() -> None:
    """Begin anew: for tests, and where Valkey is another one."""
    global _limiter, _seen
    _limiter = _seen = None
    forget_link()


def admit_request(caller: Caller) -> Steps[None]:
    """Charge one event before the body is read: who sends too much is refused cheaply. Raises WireError (429)."""
    limits = caller.source.limits
    if limits is not None:
        yield from _take(_list_whole(caller, limits, 1), caller)


def admit_items(items: Parsed, caller: Caller) -> Steps[None]:
    """Charge what a request holds: the further events, and each person's own. Raises WireError (429).

    The items are settled. A person is not charged for what somebody says who may not speak for them.
    """
    limits = caller.source.limits
    if limits is None:
        return
    charges = _list_whole(caller, limits, len(items) - 1) if len(items) > 1 else []
    if caller.is_public and limits.person is not None:
        charges += _list_people(items, caller, limits.person)
    yield from _take(charges, caller)


def admit_signature(source: KnownSource, signature: str | None) -> None:
    """Take a signed request once. Raises WireError (409) for a copy of it."""
    if signature is not None and not get_seen().note(source.id, signature):
        message = "This very request was taken already: sign each request, and each attempt, anew."
        raise WireError(409, "replayed", message, "X-Signature")


def release_signature(caller: Caller) -> None:
    """Let a signed request that could not be stored come again as it is."""
    if caller.signature is not None:
        get_seen().forget(caller.source.id, caller.signature)


def _take(charges: list[Charge], caller: Caller) -> Steps[None]:
    limiter = get_limiter()
    excess = not charges or limiter.take_at_once(charges)
    if excess is False:
        excess = yield Blocking(partial(limiter.take, charges, is_public=caller.is_public))
    if not isinstance(excess, Excess):
        return
    wait = min(max(math.ceil(excess.wait), 1), _LONGEST_WAIT)
    _tell(caller.source.id, excess.subject, wait)
    message = f"More events than the source takes {_WORDS[excess.subject]}: send them again in {wait} s."
    raise WireError(429, "rate_limited", message, retry_after=wait)


def _tell(source_id: int, subject: Subject, wait: int) -> None:
    """Say it once in a while: a flood must not become one of lines."""
    now = time.monotonic()
    if now - _told.get((source_id, subject), -_TOLD_SECONDS) >= _TOLD_SECONDS:
        _told[source_id, subject] = now
        log.warning("rate_limited", source_id=source_id, subject=str(subject), wait=wait)


def _list_whole(caller: Caller, limits: Limits, cost: int) -> list[Charge]:
    charges = []
    if limits.source is not None:
        charges.append(Charge(Subject.SOURCE, caller.source.id, "s", limits.source, cost))
    if caller.is_public and limits.address is not None:
        address = name_address(caller.peer or "")
        if address is not None:
            charges.append(Charge(Subject.ADDRESS, caller.source.id, f"i{address}", limits.address, cost))
    return charges


def _list_people(items: Parsed, caller: Caller, limit: Limit) -> list[Charge]:
    costs: dict[str, int] = {}
    for item in items:
        if isinstance(item, Item) and not _is_forged(item, caller):
            person = f"u{item.user_id}" if item.user_id is not None else f"a{item.anonymous_id}"
            costs[person] = costs.get(person, 0) + 1
    return [Charge(Subject.PERSON, caller.source.id, person, limit, cost) for person, cost in costs.items()]


def _is_forged(item: Item, caller: Caller) -> bool:
    return caller.source.demands_user_hash and check_speaker(item, caller) is not None
