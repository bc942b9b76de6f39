"""Profiles as a projection of the log: read, applied to and written by the evaluator, in a lane's transaction."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from engagement.lib.records import pack_rows
from tracking.event import ADOPTED, FOLLOW, GROUP, IDENTIFY, IMPORT, LIVE, NOT_SENT
from tracking.log.read import LoggedEvent
from tracking.log.write import Connection
from tracking.registry import Registry
from tracking.traits import Known, join, learn

OPEN = (1 << 62) - 1
"""The end of a span of the log that has not ended."""

Spans = tuple[tuple[UUID, int, int], ...]
"""Profiles of one person: (profile id, from seq exclusive, to seq inclusive)."""


@dataclass(kw_only=True)
class ProfileState:
    """A profile while a batch is decided. `traits` is replaced, never changed: a decision may keep hold of it.

    `seen_at` is what the row says, at most a step behind the last activity, which is exact once the batch has seen
    one. `joined` maps profiles of this person (hex) to the spans of the log, from exclusive to inclusive, in which
    they are theirs, one after the other in one list; the own one is there only when an earlier period of it ended.
    `linked_seq` is the place in the log of the sign-in by which this profile is `linked_to`'s. `is_readdressed` says
    that what messages are addressed by, traits and links, has changed in this batch. `public_traits` are the names of
    those that pages gave their value. `dropped` are the events of this batch that said more of the person than fits,
    `dropped_statements` how many there ever were.
    """

    id: UUID
    lane: int
    user_id: str | None
    anonymous_id: str | None
    source_id: int | None
    traits: dict[str, Any]
    public_traits: list[str]
    dropped_statements: int
    seen_at: datetime | None
    linked_to: UUID | None
    linked_seq: int
    joined: dict[str, list[int]]
    asked: list[str]
    applied_seq: int
    created_at: datetime
    last_activity: LoggedEvent | None = None
    is_changed: bool = field(default=False)
    is_readdressed: bool = field(default=False)
    dropped: list[LoggedEvent] = field(default_factory=list)

    @property
    def spans(self) -> "Spans":
        """All profiles of this person, with the part of the log in which they are theirs."""
        return list_spans(self.id, self.joined)

    @property
    def known(self) -> Known:
        """What is known of the person."""
        return Known(self.traits, frozenset(self.public_traits))

    def keep(self, known: Known) -> None:
        """Change what is known of the person."""
        self.traits, self.public_traits = known.traits, sorted(known.public)
        self.is_changed = self.is_readdressed = True

    def drop(self, event: LoggedEvent) -> None:
        """Note that an event said more of the person than fits."""
        self.dropped.append(event)
        self.dropped_statements += 1
        self.is_changed = True


def list_spans(profile_id: UUID, joined: dict[str, list[int]]) -> Spans:
    """Return all profiles of a person, their own first, with the part of the log in which they are theirs."""
    whole = {profile_id.hex: [0, OPEN]} | joined
    return tuple((UUID(one), since, until) for one, bounds in whole.items() for since, until in pair_bounds(bounds))


def pair_bounds(bounds: Sequence[int]) -> list[tuple[int, int]]:
    """Return the spans that stand one after the other in a list."""
    return list(zip(bounds[::2], bounds[1::2], strict=True))


PROFILE_COLUMNS = (
    "id, lane, user_id, anonymous_id, source_id, traits, public_traits, dropped_statements, seen_at, linked_to,"
    " linked_seq, joined, asked, applied_seq, created_at"
)
_LOAD = f"select {PROFILE_COLUMNS} from profile where lane = %s and id = any(%s) order by id for no key update"
_LOAD_ANY = f"select {PROFILE_COLUMNS} from profile where id = any(%s)"
_LOCK_ANY = f"select {PROFILE_COLUMNS} from profile where id = any(%s) order by id for no key update"
_LINKS = """
select id, linked_to from profile p
 where id = any(%s) and linked_to is not null and exists (select from profile owner where owner.id = p.linked_to)
"""
_MOST_HOPS = 8
_SAVE = f"""
insert into profile ({PROFILE_COLUMNS})
select {PROFILE_COLUMNS} from jsonb_to_recordset(%s) as x (
    id uuid, lane smallint, user_id text, anonymous_id text, source_id integer, traits jsonb,
    public_traits jsonb, dropped_statements integer, seen_at timestamptz,
    linked_to uuid, linked_seq bigint, joined jsonb, asked jsonb, applied_seq bigint, created_at timestamptz)
 order by id
on conflict (id, lane) do update set
    traits = excluded.traits, public_traits = excluded.public_traits,
    dropped_statements = excluded.dropped_statements, seen_at = excluded.seen_at, linked_to = excluded.linked_to,
    linked_seq = excluded.linked_seq, joined = excluded.joined, asked = excluded.asked,
    applied_seq = excluded.applied_seq
"""
_FIELDS = tuple(PROFILE_COLUMNS.split(", "))
_SAVE_CHANGES = """
insert into profile_change (id, lane, profile_id, seq, patch)
select id, lane, profile_id, seq, patch
  from jsonb_to_recordset(%s) as x (id uuid, lane smallint, profile_id uuid, seq bigint, patch jsonb)
 order by id on conflict do nothing
"""


_CHANGES_UNTIL = "select patch from profile_change where profile_id = %s and seq <= %s order by seq"
_FREED = """
select profile_id, array_agg(seq) from profile_change
 where profile_id = any(%s) and patch ->> 'name' = '$linked' and patch -> 'properties' ->> 'nobody' = 'true'
 group by profile_id
"""
_OUTLIVED = """
select patch from profile_change c
 where not exists (select from event e where e.id = c.id and e.lane = c.lane) order by seq
"""


def read_outlived_changes(connection: Connection, size: int) -> Iterator[list[LoggedEvent]]:
    """Yield the events that shaped profiles and that the log itself holds no more, in its order, up to `size` at once.

    They are sorted once, and the server keeps them: transactions may begin and end meanwhile.
    """
    with connection.cursor(name="outlived", withhold=True) as cursor:
        cursor.execute(_OUTLIVED)
        while rows := cursor.fetchmany(size):
            yield [msgspec.convert(row[0], LoggedEvent) for row in rows]


def load_changes(connection: Connection, event_ids: Iterable[UUID]) -> dict[UUID, LoggedEvent]:
    """Return events that shaped profiles by id, those that the log holds no more included."""
    rows = connection.execute("select patch from profile_change where id = any(%s)", (list(event_ids),)).fetchall()
    return {event.id: event for row in rows if (event := msgspec.convert(row[0], LoggedEvent))}


def find_freed(connection: Connection, profile_ids: Sequence[UUID]) -> dict[UUID, list[int]]:
    """Return where in the log profiles that too many share were told to be nobody's."""
    return dict(connection.execute(_FREED, (list(profile_ids),)).fetchall())


def load_traits_at(connection: Connection, profile_id: UUID, seq: int) -> dict[str, Any]:
    """Return what was known of somebody at a place of their lane: all that they were told up to it, once more."""
    rows = connection.execute(_CHANGES_UNTIL, (profile_id, seq)).fetchall()
    told = [msgspec.convert(row[0], LoggedEvent) for row in rows]
    pointed = load_changes(connection, [UUID(event.properties["event"]) for event in told if event.name == FOLLOW])
    if not told:
        return {}
    state = start_profile(told[0])
    for event in told:
        original = pointed.get(UUID(event.properties["event"])) if event.name == FOLLOW else event
        if event.name == ADOPTED:
            take_over(state, event)
        elif original is not None and original.name == IDENTIFY:
            _apply_traits(state, original)
    return state.traits


def load_profiles(connection: Connection, lane: int, ids: Iterable[UUID]) -> dict[UUID, ProfileState]:
    """Read and lock the profiles of a lane that exist."""
    rows = connection.execute(_LOAD, (lane, list(ids))).fetchall()
    return {row[0]: make_state(row) for row in rows}


def load_people(connection: Connection, ids: Iterable[UUID]) -> dict[UUID, ProfileState]:
    """Read profiles of any lane, without a lock."""
    rows = connection.execute(_LOAD_ANY, (list(ids),)).fetchall()
    return {row[0]: make_state(row) for row in rows}


def load_person(connection: Connection, profile_id: UUID) -> ProfileState | None:
    """Read the profile that a profile belongs to: itself, or the known one that it joined, however many aliases lead
    there. Of a ring of aliases, the last that is not yet seen; where a device's lane knows of a sign-in before the lane
    of who signed in for the first time does, still the device's."""
    seen: set[UUID] = set()
    state: ProfileState | None = None
    while True:
        seen.add(profile_id)
        found = load_people(connection, [profile_id]).get(profile_id)
        if found is None or found.linked_to is None or found.linked_to in seen:
            return found or state
        state, profile_id = found, found.linked_to


def lock_people(connection: Connection, ids: Iterable[UUID]) -> dict[UUID, ProfileState]:
    """Lock the people that profiles belong to, in any lane; return each profile's person, where there is one.

    Only the people's own rows are locked, in the order of their ids: a lane locks what leads to them in another order.
    """
    owners: dict[UUID, ProfileState] = {}
    wanted = set(ids)
    for _ in range(_MOST_HOPS):
        if not wanted:
            break
        roots = find_roots(connection, wanted)
        rows = connection.execute(_LOCK_ANY, (sorted(set(roots.values())),)).fetchall()
        locked = {row[0]: make_state(row) for row in rows}
        owners |= {profile_id: locked[root] for profile_id, root in roots.items() if root in locked}
        # Somebody may have joined another between the two statements.
        wanted = {profile_id for profile_id, root in roots.items() if root in locked and locked[root].linked_to}
    return owners


def find_roots(connection: Connection, ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """Return, for each profile, that of the person it belongs to: itself, or what it joined."""
    roots = {profile_id: profile_id for profile_id in ids}
    for _ in range(_MOST_HOPS):
        links: dict[UUID, UUID] = dict(connection.execute(_LINKS, (list(set(roots.values())),)).fetchall())
        if not links:
            break
        roots = {profile_id: links.get(root, root) for profile_id, root in roots.items()}
    return roots


def make_state(row: Sequence[Any]) -> ProfileState:
    """Return the state of a row of PROFILE_COLUMNS."""
    return ProfileState(**dict(zip(_FIELDS, row, strict=True)))


def start_profile(event: LoggedEvent) -> ProfileState:
    """Return the state of somebody who is seen for the first time.

    A device that joins says who they are, in case what they signed in by could not be decided.
    """
    user_id = event.properties.get("user_id") if event.name == ADOPTED else event.user_id
    return ProfileState(
        id=event.profile_id,
        lane=event.lane,
        user_id=user_id,
        anonymous_id=None if user_id else event.anonymous_id,
        source_id=event.source_id,
        traits={},
        public_traits=[],
        dropped_statements=0,
        seen_at=None,
        linked_to=None,
        linked_seq=0,
        joined={},
        asked=[],
        applied_seq=0,
        created_at=event.received_at,
        is_changed=True,
    )


def is_activity(event: LoggedEvent, registry: Registry) -> bool:
    """Whether a person did this just now: not an import, a silence, a response, nor a mere statement about them."""
    return event.origin == LIVE and _shows_activity(event, registry)


def is_past_activity(event: LoggedEvent, registry: Registry) -> bool:
    """Whether an import says that a person did this, and when: not one without a time of its own."""
    return event.origin == IMPORT and event.occurred_at < event.received_at and _shows_activity(event, registry)


def _shows_activity(event: LoggedEvent, registry: Registry) -> bool:
    if event.name.startswith("$") or event.name in registry.passive_names:
        return False
    source = registry.by_id.get(event.source_id or 0)
    return source is None or source.is_activity


def apply_event(state: ProfileState, event: LoggedEvent, seq: int, registry: Registry, step: timedelta) -> None:
    """Apply an event to a profile, once: what is at or below its `applied_seq` has been.

    `seq` is the place in this profile's lane: the event's own, or that of the pointer by which it came.
    """
    if seq <= state.applied_seq:
        return
    if event.name == IDENTIFY:
        _apply_traits(state, event)
    if is_activity(event, registry):
        # One that another profile of the person forwards may be older than what this lane has seen.
        known = state.last_activity
        if (known is None and seq == event.seq) or (known is not None and known.active_at <= event.active_at):
            state.last_activity = event
        if state.seen_at is None or event.received_at - state.seen_at >= step:
            state.seen_at = event.received_at
            state.is_changed = True
    elif is_past_activity(event, registry):
        _apply_history(state, event, step)
    if state.is_changed:
        state.applied_seq = seq


def _apply_history(state: ProfileState, event: LoggedEvent, step: timedelta) -> None:
    """History tells when somebody was last here who has not been since; its rows come in any order."""
    if state.last_activity is not None and state.last_activity.active_at < event.active_at:
        state.last_activity = event
    if state.seen_at is None or event.active_at - state.seen_at >= step:
        state.seen_at = event.active_at
        state.is_changed = True


def _apply_traits(state: ProfileState, event: LoggedEvent) -> None:
    """A page, whose key anybody can read, may give a known person an e-mail address but never change or take it."""
    is_public = bool(event.context.get("$public"))
    keeps_email = is_public and state.user_id is not None
    known = state.known
    learned = learn(known, event.properties, is_public=is_public, keeps_email=keeps_email)
    if learned is None:
        state.drop(event)
    elif learned is not known:
        state.keep(learned)


def take_over(state: ProfileState, event: LoggedEvent) -> None:
    """Add what is known of a profile that joins, as its `$adopted` says."""
    given = Known(event.properties["traits"], frozenset(event.properties.get("public_traits", ())))
    known, fits = join(state.known, given)
    state.keep(known)
    if not fits:
        state.drop(event)


def save_profiles(connection: Connection, states: Iterable[ProfileState]) -> None:
    """Write the states that changed."""
    rows = [{name: getattr(state, name) for name in _FIELDS} for state in states if state.is_changed]
    if rows:
        connection.execute(_SAVE, (pack_rows(rows),))


def save_changes(connection: Connection, events: Iterable[LoggedEvent]) -> None:
    """Copy the events that shaped profiles whole, so that these can be rebuilt after the log's retention.

    Of pointers only those to an identify: all others say what somebody did, which is not kept for longer. A group, or a
    message that was not sent, says nothing of the person's own profile.
    """
    rows = [
        {"id": event.id, "lane": event.lane, "profile_id": event.profile_id, "seq": event.seq, "patch": event}
        for event in events
        if event.name.startswith("$")
        and event.name not in (GROUP, NOT_SENT)
        and (event.name != FOLLOW or event.properties.get("name") == IDENTIFY)
    ]
    if rows:
        connection.execute(_SAVE_CHANGES, (pack_rows(rows),))
