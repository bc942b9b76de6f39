"""One person, several profiles: an anonymous one joins the known one that it was last seen with.

What one lane has to tell another travels as an event in the other lane, with a computed id:

- `$linked` asks the joining profile's lane: a sign-in tells it at once (`tracking/sign_ins.py`), whatever else names a
  person and a device when this lane comes to it. Who signed in last has it (`tracking/claims.py`): what came before is
  the first one's, and each later period that of who signed in then.
- `$adopted` hands its waits, traits and place in the log over to the known profile's lane, once a period.
- `$follow` points to each further event of the joined profile, which is decided in the known profile's lane under its
  own id.
- `$unlinked` tells the known profile's lane up to where the joined one was theirs, or that it is not. They ask again
  when they are next seen with it, or at once where that happened meanwhile.

Requests that cross each other close a ring: two known profiles, or more, that each joined the next. No lane can see it,
but what goes round in it can: `path` names the known profiles that passed a message on. Where one comes by again, that
with the least id leaves the ring, and is who all the others have joined.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from engagement.lib.ids import compute_lane, compute_timed_id, read_moment
from tracking.claims import Tenure, read_claim, succeeds
from tracking.event import (
    ADOPTED,
    ALIAS,
    FOLLOW,
    IMPORT,
    LINKED,
    LIVE,
    SYSTEM,
    UNLINKED,
    NewEvent,
    compute_anonymous_profile_id,
    compute_user_profile_id,
)
from tracking.log.read import LoggedEvent
from tracking.profiles import OPEN, ProfileState, pair_bounds, take_over
from tracking.sign_ins import find_devices
from triggers.detect.timer_book import TimerBook, TimerRow

MAX_PERIODS = 20
"""How often a profile may be the same person's; who is seen with it more often makes it nobody's."""
TRAVELLING = frozenset({LINKED, ADOPTED, FOLLOW, UNLINKED})


def ask_for_links(event: LoggedEvent, state: ProfileState) -> list[NewEvent]:
    """Return the requests to join that an event of a known person gives rise to; each profile is asked once.

    A silence has the device of the event before it, on which somebody else may have signed in meanwhile.
    """
    if state.user_id is None or event.source_id is None or event.origin not in (LIVE, IMPORT):
        return []
    wanted: list[tuple[UUID, bool]] = []
    if event.anonymous_id is not None:
        wanted.append((compute_anonymous_profile_id(event.source_id, event.anonymous_id), False))
    previous = event.properties.get("previous_id") if event.name == ALIAS else None
    if isinstance(previous, str) and previous:
        wanted.append((compute_anonymous_profile_id(event.source_id, previous), False))
        if not event.context.get("$public"):
            wanted.append((compute_user_profile_id(previous), True))
    return [
        _ask(event, state, profile_id, known, event.seq, event.origin)
        for profile_id, known in wanted
        if _is_new(state, profile_id)
    ]


def _is_new(state: ProfileState, profile_id: UUID) -> bool:
    if profile_id == state.id or profile_id.hex in state.asked:
        return False
    bounds = state.joined.get(profile_id.hex)
    return bounds is None or OPEN not in bounds[1::2]


def _ask(
    cause: LoggedEvent, state: ProfileState, profile_id: UUID, known: bool, seq: int, origin: int = LIVE
) -> NewEvent:
    """Ask a profile to join. `seq` is the place of the sign-in.

    What came back to somebody again and again is nobody's: an id that many share must not make their spans endless.
    """
    properties = {
        "profile": str(state.id),
        "user_id": cause.user_id or state.user_id,
        "known": known,
        "seq": seq,
        "origin": origin,
    }
    if _is_worn(state, profile_id.hex):
        return _tell(cause, LINKED, profile_id, properties | {"nobody": True}, state.id.hex)
    state.asked = [*state.asked, profile_id.hex]
    state.is_changed = True
    return _tell(cause, LINKED, profile_id, properties, state.id.hex)


def _is_worn(state: ProfileState, profile: str) -> bool:
    return len(state.joined.get(profile, ())) >= 2 * MAX_PERIODS


def answer_link(event: LoggedEvent, state: ProfileState, timers: TimerBook) -> list[NewEvent]:
    """Decide a `$linked` in the lane of the profile that is asked to join."""
    claim = read_claim(event)
    is_known = state.user_id is not None
    if is_known and state.applied_seq == 0:
        return []
    if not succeeds(claim, Tenure(owner=state.linked_to, seq=state.linked_seq), is_known):
        is_refused = claim.owner is not None and claim.owner != state.linked_to and not is_known
        return [_tell_of_end(event, state, claim.owner, state.linked_seq)] if is_refused and claim.owner else []
    told = _end_period(event, state, claim.seq) if state.linked_to is not None else []
    state.linked_to, state.linked_seq = claim.owner, claim.seq
    state.is_changed = state.is_readdressed = True
    return told if claim.owner is None else [*told, _hand_over(event, state, timers, claim.owner)]


def _hand_over(event: LoggedEvent, state: ProfileState, timers: TimerBook, target: UUID) -> NewEvent:
    moved = timers.all_of(state.id)
    for timer in moved:
        timers.clear(timer)
    properties = {
        "profile": str(state.id),
        "user_id": event.properties.get("user_id"),
        "joined": state.joined | {state.id.hex: state.joined.get(state.id.hex, [0, OPEN])},
        "asked": state.asked,
        "traits": state.traits,
        "public_traits": state.public_traits,
        "seen_at": state.seen_at,
        "timers": [msgspec.to_builtins(timer) for timer in moved],
    }
    return _tell(event, ADOPTED, target, properties, state.id.hex)


def _end_period(event: LoggedEvent, state: ProfileState, seq: int) -> list[NewEvent]:
    """Somebody else signs in on the same device: what follows is theirs, and two known people never merge."""
    former = state.linked_to
    state.traits, state.public_traits = {}, []
    state.seen_at = None
    state.joined = {state.id.hex: [event.seq, OPEN]}
    return [] if former is None else [_tell_of_end(event, state, former, seq)]


def _tell_of_end(event: LoggedEvent, state: ProfileState, former: UUID, seq: int) -> NewEvent:
    """Tell somebody that a profile is theirs no more, or not: another one signed in at `seq`."""
    properties = {"profile": str(state.id), "until_seq": event.seq, "seq": seq}
    return _tell(event, UNLINKED, former, properties, state.id.hex)


def adopt(event: LoggedEvent, state: ProfileState, timers: TimerBook) -> None:
    """Take over what a joined profile hands over. Of two waits for the same thing the later one counts.

    One that came back again and again is nobody's, as it will be told: another span of it would be one too many.
    """
    given = event.properties
    state.last_activity = None
    joined = {one: spans for one, spans in given["joined"].items() if not _is_worn(state, one)}
    state.joined = {**joined, **state.joined, **_merge_spans(joined, state.joined)}
    state.asked = list(dict.fromkeys([*state.asked, *given.get("asked", [])]))
    take_over(state, event)
    seen_at = msgspec.convert(given["seen_at"], datetime | None)
    if seen_at is not None and (state.seen_at is None or state.seen_at < seen_at):
        state.seen_at = seen_at
    state.is_changed = state.is_readdressed = True
    for raw in given["timers"]:
        timer = msgspec.convert(raw, TimerRow)
        timers.arm(msgspec.structs.replace(timer, profile_id=state.id, lane=state.lane))


def _merge_spans(given: dict[str, list[int]], own: dict[str, list[int]]) -> dict[str, list[int]]:
    """Return the spans of what two profiles both had: each once, as this one knows where it ended."""
    merged = {one: dict(pair_bounds(given[one])) | dict(pair_bounds(own[one])) for one in given.keys() & own.keys()}
    return {one: [bound for span in sorted(spans.items()) for bound in span] for one, spans in merged.items()}


def release(event: LoggedEvent, state: ProfileState, signed_in: Callable[[UUID, int], int | None]) -> list[NewEvent]:
    """Note up to where a joined profile was this person's; what came round in a ring says it of the person's own.

    `signed_in(profile, after)` is where in the log the person was last seen with it, behind `after`: then they ask.
    """
    profile_id, until = UUID(event.properties["profile"]), event.properties["until_seq"]
    if profile_id == state.id:
        return []
    bounds = [
        until if end == OPEN and since < until else end
        for since, last in pair_bounds(state.joined.get(profile_id.hex, ()))
        for end in (since, last)
    ]
    # Also where it was theirs at no time: it holds their request, which an erasure must find.
    state.joined = state.joined | {profile_id.hex: bounds}
    state.asked = [one for one in state.asked if one != profile_id.hex]
    state.last_activity = None
    state.is_changed = True
    seq = signed_in(profile_id, event.properties["seq"])
    return [] if seq is None or not _is_new(state, profile_id) else [_ask(event, state, profile_id, False, seq)]


def is_stale(event: LoggedEvent, state: ProfileState | None, followed: dict[UUID, LoggedEvent]) -> bool:
    """Whether a profile that was erased is told something by one that had joined who it was before.

    A profile that joins was asked first, and one that follows has joined: whoever comes after an erasure asks anew.
    """
    if state is not None and not state.joined.keys().isdisjoint(_read_path(event)):
        return False
    if event.name == ADOPTED:
        return state is None or UUID(event.properties["profile"]).hex not in state.asked
    joined = state.joined if state is not None else {}
    asked = state.asked if state is not None else []
    if event.name == UNLINKED:
        hexadecimal = UUID(event.properties["profile"]).hex
        return hexadecimal not in joined and hexadecimal not in asked
    if event.name == FOLLOW:
        original = followed.get(UUID(event.properties["event"]))
        # Who passes on what a device does keeps no account of when it was theirs.
        theirs = {event.profile_id.hex, *joined, *(asked if state is not None and state.linked_to is not None else ())}
        return original is None or original.profile_id.hex not in theirs
    return False


def forward(event: LoggedEvent, state: ProfileState) -> NewEvent:
    """Return what sends an event of a joined profile on to the known one's lane."""
    if state.linked_to is None:
        raise ValueError("only a linked profile forwards")
    # A device joins the id that was signed in by, and through it whoever that is by now.
    devices = [compute_anonymous_profile_id(event.source_id or 0, one).hex for one in find_devices(event)]
    if devices:
        state.asked = list(dict.fromkeys([*state.asked, *devices]))
        state.is_changed = True
    if event.name == UNLINKED:
        state.asked = [one for one in state.asked if one != UUID(event.properties["profile"]).hex]
        state.is_changed = True
    path = {"path": [*_read_path(event), state.id.hex]} if state.user_id is not None else {}
    if event.name in TRAVELLING:
        return _tell(event, event.name, state.linked_to, event.properties | path, state.id.hex)
    properties = {"event": str(event.id), "lane": event.lane, "name": event.name}
    return _tell(event, FOLLOW, state.linked_to, properties | path, event.id.hex)


def leave_ring(event: LoggedEvent, state: ProfileState) -> None:
    """Undo the link of a profile that an event has come by before, where it has the least id of those in the ring."""
    path = _read_path(event)
    if state.id.hex not in path:
        return
    last_time = len(path) - 1 - path[::-1].index(state.id.hex)
    if state.id.hex == min(path[last_time:]):
        state.linked_to = None
        state.is_changed = state.is_readdressed = True


def _read_path(event: LoggedEvent) -> list[str]:
    """Return the known profiles that passed an event on.

    Nobody joins an anonymous profile, so no ring leads through one, and the many events of those need no path.
    """
    return event.properties.get("path", []) if event.name in TRAVELLING else []


def _tell(cause: LoggedEvent, name: str, profile_id: UUID, properties: dict[str, Any], *particulars: str) -> NewEvent:
    return NewEvent(
        id=compute_timed_id(read_moment(cause.id), name, cause.id.hex, profile_id.hex, *particulars),
        lane=compute_lane(profile_id),
        profile_id=profile_id,
        name=name,
        properties=properties,
        context={},
        source_id=cause.source_id,
        origin=SYSTEM,
        user_id=None,
        anonymous_id=cause.anonymous_id if name == LINKED else None,
        occurred_at=cause.occurred_at,
    )
