"""Tombstones: which events of the log are erased, whenever they come.

The rows of an erased event are gone, so its primary key says "already done" no more. A retry, an import or a queue
that was offline brings the same id again, with the same moment in it: that is what a tombstone goes by. What somebody
does after their erasure has a later moment, and is a new person's.

Every consumer of the log calls `split_erased` on what it reads and leaves out the second half. The evaluator deletes
that half from the log as well.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from engagement.lib.ids import compute_boundary, compute_lane, read_moment
from tracking.erasure.hashes import hash_profile
from tracking.event import ERASE, LINKED
from tracking.log.read import LoggedEvent
from tracking.log.write import Connection

_LOAD = """
select profile_hash, erased_from, erased_at, outlying from tombstone
 where profile_hash = any(%s) and erased_at is not null
"""
# Of two numbers, unlike the locks of the log; the second is a lane.
_WRITE_BESIDE = "select pg_advisory_xact_lock_shared(%s, lane) from unnest(%s::integer[]) lane"
_WAIT_FOR_WRITERS = "select pg_advisory_xact_lock(%s, %s)"
_BESIDE = 79
_IS_TOLD_LATER = """
select exists (select from event where lane = %s and seq > %s and profile_id = %s and name = '$erase'
                  and (properties -> 'people' ? %s or jsonb_array_length(properties -> 'people') = 0))
"""
_RETURNED = """
update tombstone set returned = returned + %s
 where profile_hash = %s and erased_at = (select max(erased_at) from tombstone where profile_hash = %s)
"""


class Period(msgspec.Struct, frozen=True):
    """A part of a profile's time that is erased: events whose id's moment is after `since` (None: all) and before the
    millisecond of `until`, and those of `outlying`.

    An id tells no more than the millisecond, and in that of `until` somebody may have begun anew: of those events the
    ones that went are known one by one.
    """

    since: datetime | None
    until: datetime
    outlying: frozenset[UUID]

    def covers(self, event_id: UUID) -> bool:
        """Whether the event with this id is erased."""
        return event_id in self.outlying or (
            event_id < compute_boundary(self.until) and (self.since is None or read_moment(event_id) > self.since)
        )


class Tombstone(msgspec.Struct, frozen=True):
    """What is erased of a profile; without periods nothing is."""

    periods: tuple[Period, ...]

    def covers(self, event_id: UUID) -> bool:
        """Whether the event with this id is erased."""
        return any(period.covers(event_id) for period in self.periods)


def load_tombstones(connection: Connection, profile_ids: Iterable[UUID]) -> dict[UUID, Tombstone]:
    """Return the tombstones of those of the profiles of which something was erased: mostly none, in one query."""
    by_hash = {hash_profile(profile_id): profile_id for profile_id in profile_ids}
    found: dict[UUID, list[Period]] = defaultdict(list)
    for row in connection.execute(_LOAD, (list(by_hash),)).fetchall():
        found[by_hash[row[0]]].append(Period(row[1], row[2], frozenset(row[3])))
    return {profile_id: Tombstone(tuple(periods)) for profile_id, periods in found.items()}


def hold_tombstones(connection: Connection, profile_ids: Iterable[UUID]) -> dict[UUID, Tombstone]:
    """Return the tombstones of profiles, in the caller's transaction: for who writes beside the log.

    An erasure of them that has begun is waited for, and one that begins next finds what the caller writes.
    """
    wanted = set(profile_ids)
    if not wanted:
        return {}
    connection.execute(_WRITE_BESIDE, (_BESIDE, sorted({compute_lane(profile_id) for profile_id in wanted})))
    return load_tombstones(connection, wanted)


def wait_for_writers(connection: Connection, lane: int) -> None:
    """Wait for whoever writes beside the log of people of a lane, and let others wait, until the transaction ends.

    Nothing else of an erasure is locked before: those who are waited for may wait for another one.
    """
    connection.execute(_WAIT_FOR_WRITERS, (_BESIDE, lane))


def is_erased(tombstones: Mapping[UUID, Tombstone], profile_id: UUID, event_id: UUID) -> bool:
    """Whether an event of a profile is erased, by the tombstones that were loaded."""
    tombstone = tombstones.get(profile_id)
    return tombstone is not None and tombstone.covers(event_id)


def split_erased(
    connection: Connection, events: Sequence[LoggedEvent]
) -> tuple[list[LoggedEvent], list[LoggedEvent], frozenset[UUID]]:
    """Return what a consumer may take notice of, what is erased, and the profiles that have a tombstone.

    A request to join is judged by who asks, not by whom it is addressed to. A device to which the erasure is still to
    come joins first: then it is found to be theirs.
    """
    owners = {event.id: _find_owner(event) for event in events}
    tombstones = load_tombstones(connection, set(owners.values())) if events else {}
    if not tombstones:
        return list(events), [], frozenset()
    alive: list[LoggedEvent] = []
    erased: list[LoggedEvent] = []
    for event in events:
        is_gone = event.name != ERASE and is_erased(tombstones, owners[event.id], event.id)
        if is_gone and event.name == LINKED and not event.properties.get("known"):
            is_gone = not _is_told_later(connection, event)
        (erased if is_gone else alive).append(event)
    return alive, erased, frozenset(tombstones)


def note_returned(connection: Connection, events: Iterable[LoggedEvent]) -> None:
    """Count, on the tombstones, events that came after the erasure and went again."""
    counts = Counter(event.profile_id for event in events)
    for profile_id, number in counts.items():
        profile_hash = hash_profile(profile_id)
        connection.execute(_RETURNED, (number, profile_hash, profile_hash))


def _is_told_later(connection: Connection, link: LoggedEvent) -> bool:
    """Whether the erasure of who asks stands behind the request in the same lane, for whom it is addressed to."""
    values = (link.lane, link.seq, link.profile_id, link.properties["profile"])
    row = connection.execute(_IS_TOLD_LATER, values).fetchone()
    return bool(row and row[0])


def _find_owner(event: LoggedEvent) -> UUID:
    return UUID(event.properties["profile"]) if event.name == LINKED else event.profile_id
