"""An erasure at the head of its lane: all before it is decided, nothing after it yet.

The first step sets the tombstone, stops what would be sent, takes the profile away and tells the person's other
profiles. What may be many rows goes in pieces, one a transaction; the cursor stays before the event until nothing is
left, so that nobody who comes back under the id is taken for who they were.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
import structlog

from tracking.erasure.ask import Order, add_parts, append_orders, read_order, reopen_parts
from tracking.erasure.parts import begin_part, end_part, load_moment, load_parts, note_removed, withdraw_part
from tracking.erasure.periods import Ownership, find_claimant, find_ended, load_links
from tracking.erasure.remove import (
    Part,
    find_addresses,
    find_events,
    find_orders,
    redact_link,
    remove_changes,
    remove_events,
    remove_link,
    remove_payloads,
    remove_profile,
)
from tracking.erasure.tombstones import wait_for_writers
from tracking.event import compute_anonymous_profile_id
from tracking.log.read import LoggedEvent
from tracking.log.write import Connection
from tracking.profiles import OPEN, ProfileState, load_people, load_profiles
from triggers.erase import remove

PIECE = 2_000
"""Rows of a table in one transaction: some 100 ms, in which nobody else of the lane waits."""

log = structlog.get_logger()


def carry_out(connection: Connection, event: LoggedEvent, piece: int = PIECE) -> bool:
    """Take one step of an erasure, in the caller's transaction; return whether nothing is left of it in this lane."""
    order = read_order(event)
    moment = load_moment(connection, order.erasure)
    if moment is None:
        return _end_event(connection, event)
    parts = load_parts(connection, order.erasure, event.profile_id, event.lane)
    told: list[UUID] = []
    again: list[UUID] = []
    if order.found is not None or not parts:
        wait_for_writers(connection, event.lane)
        state = load_profiles(connection, event.lane, [event.profile_id]).get(event.profile_id)
        is_root = not order.people
        owner = _find_owner(connection, event, state) if is_root else None
        if owner is not None and owner not in order.path:
            return _pass_on(connection, event, order, owner, moment)
        if is_root:
            order = msgspec.structs.replace(order, people=_list_people(connection, event.profile_id, state, order.path))
        whose = _list_owners(connection, event, order)
        links = load_links(connection, [event.profile_id])
        is_hers = is_root or _is_hers(event.profile_id, order, whose, state, links, moment)
        if is_hers:
            others = _list_others(event.profile_id, state, order.people if is_root else ())
            told = add_parts(connection, order, others)
            if event.profile_id not in order.people and state is not None and state.user_id is not None:
                # Found only now: who was told before did not know that this is the person too.
                order = msgspec.structs.replace(order, people=sorted({*order.people, event.profile_id}))
                again = sorted({*order.people, *others} - {*told, event.profile_id})
                reopen_parts(connection, order, again)
        wanted = _list_parts(event, whose, state, links, moment if is_hers else None)
        more = _number(wanted, parts)
        _clean_links(connection, whose, links, more, event.seq)
        _begin(connection, order.erasure, event, more, max((part.until for part in [*parts, *more]), default=0))
        # What came since a whole profile went is a new person's.
        parts = [*(part for part in parts if part.until == event.seq or not part.is_whole), *more]
    is_done = all(_remove_piece(connection, order.erasure, part, piece) for part in parts)
    if is_done:
        _end_event(connection, event)
        if end_part(connection, order.erasure, event):
            log.info("erased", erasure_id=str(order.erasure))
    append_orders(connection, msgspec.structs.replace(order, found=None), told, moment)
    append_orders(connection, msgspec.structs.replace(order, found=event.profile_id), again, moment)
    return is_done


def _find_owner(connection: Connection, event: LoggedEvent, state: ProfileState | None) -> UUID | None:
    """Return whom a profile has joined, or is about to because of what is before the erasure."""
    if state is not None and state.linked_to is not None:
        return state.linked_to
    if state is None:
        return find_claimant(connection, event, is_known=False, linked_seq=0)
    return find_claimant(connection, event, is_known=state.user_id is not None, linked_seq=state.linked_seq)


def _pass_on(connection: Connection, event: LoggedEvent, order: Order, owner: UUID, moment: datetime) -> bool:
    """The profile is a known person's by now: the erasure begins with them, and comes back here.

    In a ring of people who are each the next one it begins with the last of them.
    """
    withdraw_part(connection, order.erasure, event.profile_id)
    order = msgspec.structs.replace(order, path=[*order.path, event.profile_id], is_waiting=False)
    told = add_parts(connection, order, [owner])
    _end_event(connection, event)
    append_orders(connection, order, told, moment)
    return True


def _list_people(
    connection: Connection, profile_id: UUID, state: ProfileState | None, path: Sequence[UUID]
) -> list[UUID]:
    joined = set(map(UUID, state.joined)) if state is not None else set()
    devices = {one.id for one in load_people(connection, joined).values() if _is_device(one)}
    return sorted({profile_id, *path, *(joined - devices)})


def _is_device(state: ProfileState) -> bool:
    """Whether a profile is surely somebody's who has not signed in: that of a known person may be first heard of with
    a device's id beside it."""
    if state.source_id is None or state.anonymous_id is None:
        return False
    return compute_anonymous_profile_id(state.source_id, state.anonymous_id) == state.id


def _list_owners(connection: Connection, event: LoggedEvent, order: Order) -> set[UUID]:
    """Return whose time on a profile goes. Told once more it is that of who was found since: all other is done with,
    and who goes by the others' ids by now may be somebody new. Not where an order before this one was set aside."""
    if order.found is None or len(find_orders(connection, event)) > 1:
        return set(order.people)
    return {order.found}


def _is_hers(
    profile_id: UUID,
    order: Order,
    whose: Collection[UUID],
    state: ProfileState | None,
    links: Sequence[LoggedEvent],
    moment: datetime,
) -> bool:
    """Whether a profile that is told is the person's. One that was named and passed on is, though who was about to be
    joined may be erased before they are: then it joins nobody."""
    if state is not None and state.linked_to is not None:
        return state.linked_to in whose
    if order.found is not None or profile_id not in order.path:
        return False
    began = _find_start(links, _get_since(state))
    return began is None or began < moment


def _list_others(profile_id: UUID, state: ProfileState | None, people: Collection[UUID]) -> set[UUID]:
    """Return the other profiles of the person, and all that were ever asked to join."""
    asked = {*map(UUID, state.joined), *map(UUID, state.asked)} if state is not None else set()
    return {*people, *asked} - {profile_id}


def _list_parts(
    event: LoggedEvent,
    whose: Collection[UUID],
    state: ProfileState | None,
    links: Sequence[LoggedEvent],
    moment: datetime | None,
) -> list[Part]:
    """Return each part of a profile that is the person's, in the order of the log and not numbered yet.

    A device may have been theirs several times. It still is where there is a `moment`, that of the erasure.
    """
    is_known = state is not None and state.user_id is not None
    theirs = [period for period in find_ended(links, is_known) if period.owner in whose]
    ended = [_make_ended(event, period) for period in theirs]
    if moment is None:
        return ended
    last = _make_open(event, state, links, moment)
    return [last] if last.is_whole else [*ended, last]


def _number(wanted: Sequence[Part], begun: Sequence[Part]) -> list[Part]:
    """Return the parts that were not begun yet, with numbers behind those that were."""
    known = {part.until for part in begun}
    new = [part for part in wanted if part.until not in known]
    return [msgspec.structs.replace(part, number=len(begun) + number) for number, part in enumerate(new)]


def _make_open(event: LoggedEvent, state: ProfileState | None, links: Sequence[LoggedEvent], moment: datetime) -> Part:
    """The profile is the person's: all of it, or since somebody else's time on the device ended."""
    since = _get_since(state)
    return Part(
        profile_id=event.profile_id,
        lane=event.lane,
        number=0,
        since=since,
        until=event.seq,
        is_whole=since == 0,
        moment_since=_find_start(links, since),
        moment_until=moment,
    )


def _get_since(state: ProfileState | None) -> int:
    return state.joined.get(state.id.hex, [0, OPEN])[0] if state is not None else 0


def _find_start(links: Sequence[LoggedEvent], since: int) -> datetime | None:
    return next((link.received_at for link in links if link.seq == since), None)


def _make_ended(event: LoggedEvent, period: Ownership) -> Part:
    """The device was the person's until somebody else signed in."""
    return Part(
        profile_id=event.profile_id,
        lane=event.lane,
        number=0,
        since=period.since,
        until=period.until,
        is_whole=False,
        moment_since=period.since_moment,
        moment_until=period.until_moment,
    )


def _clean_links(
    connection: Connection, whose: Collection[UUID], links: Sequence[LoggedEvent], parts: Sequence[Part], place: int
) -> None:
    """Take the person out of the requests to join that stay: those that tell when a device changed hands."""
    last = next((part for part in parts if part.until == place), None)
    if last is not None and last.is_whole:
        return
    for link in links:
        if UUID(link.properties["profile"]) not in whose:
            continue
        if last is not None and link.seq > last.since:
            remove_link(connection, link)
        else:
            redact_link(connection, link, leaves_nobody=last is not None and link.seq == last.since)


def _begin(connection: Connection, erasure_id: UUID, event: LoggedEvent, parts: Sequence[Part], last: int) -> None:
    """Set the tombstones and take away at once what decides, sends or names. `last` is where the last part ends."""
    addresses: set[str] = set()
    for part in parts:
        begin_part(connection, erasure_id, part)
        addresses |= find_addresses(connection, part) | remove.find_addresses(connection, part)
    for part in parts:
        _begin_part(connection, erasure_id, event, part, addresses, is_last=part.until == last)


def _begin_part(
    connection: Connection, erasure_id: UUID, event: LoggedEvent, part: Part, addresses: set[str], is_last: bool
) -> None:
    """What a profile says is of the last time that it was theirs."""
    removed: Counter[str] = Counter()
    if is_last:
        removed["profile"] = remove_profile(connection, part, event.seq)
    if part.until == event.seq:
        removed["timer"] = remove.remove_timers(connection, part)
    remove.redact_activations(connection, part)
    removed["messages_not_sent"] = remove.stop_deliveries(connection, part)
    removed["quarantined"], removed["hook_payload"] = remove_payloads(connection, part, addresses)
    note_removed(connection, erasure_id, part, removed, ())


def _remove_piece(connection: Connection, erasure_id: UUID, part: Part, piece: int) -> bool:
    """Delete up to a piece of each kind; return whether nothing is left."""
    removed: Counter[str] = Counter()
    removed["delivery"], removed["attempt"] = remove.remove_deliveries(connection, part, piece)
    if removed["delivery"] < piece:
        removed["activation"], removed["refused_copy"] = remove.remove_activations(connection, part, piece)
    removed["profile_change"] = remove_changes(connection, part, piece)
    ids = find_events(connection, part, piece)
    removed["event"], removed["set_aside"] = remove_events(connection, part.lane, ids)
    removed["refused_copy"] += remove.remove_refused_copies(connection, part.lane, ids)
    note_removed(connection, erasure_id, part, removed, ids)
    return all(removed[name] < piece for name in ("delivery", "activation", "profile_change", "event"))


def _end_event(connection: Connection, event: LoggedEvent) -> bool:
    """The order itself goes too, and an earlier one that had been set aside."""
    remove_events(connection, event.lane, find_orders(connection, event))
    return True
