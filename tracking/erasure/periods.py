"""Whose a device was, and when: told by the requests to join that came to it, in the order of the log."""

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from tracking.claims import Tenure, read_claim, succeeds
from tracking.log.read import EVENT_COLUMNS, LoggedEvent
from tracking.log.write import Connection
from tracking.profiles import OPEN, ProfileState, Spans, load_people

_LINKS = """
select patch from profile_change where profile_id = any(%s) and patch ->> 'name' = '$linked' order by seq
"""
_COMING = f"""
select {EVENT_COLUMNS} from event where lane = %s and seq > %s and profile_id = %s and name = '$linked' order by seq
"""


class Ownership(msgspec.Struct, frozen=True, kw_only=True):
    """A profile was `owner`'s from a place of the log (exclusive) to one (inclusive), where somebody else signed in.

    The moments are those of the two requests to join; `since_moment` is None from the start.
    """

    owner: UUID
    since: int
    until: int
    since_moment: datetime | None
    until_moment: datetime


def load_links(connection: Connection, profile_ids: Collection[UUID]) -> list[LoggedEvent]:
    """Return the requests to join that came to some profiles, in the order of the log."""
    rows = connection.execute(_LINKS, (list(profile_ids),)).fetchall()
    return [msgspec.convert(row[0], LoggedEvent) for row in rows]


def find_claimant(connection: Connection, event: LoggedEvent, *, is_known: bool, linked_seq: int) -> UUID | None:
    """Return whose a profile that has joined nobody is at an erasure's place in the log, though it is not told yet.

    Somebody signed in before, in another lane; the request to join stands behind the erasure in this one. That of a
    sign-in after the erasure is no matter of its, nor is one before `linked_seq`, when whose it last was signed in.
    """
    tenure = Tenure(seq=linked_seq)
    for row in connection.execute(_COMING, (event.lane, event.seq, event.profile_id)).fetchall():
        claim = read_claim(LoggedEvent(*row))
        if claim.seq < event.seq and succeeds(claim, tenure, is_known):
            tenure = Tenure(owner=claim.owner, seq=claim.seq)
    return tenure.owner


def load_spans(connection: Connection, person: ProfileState) -> Spans:
    """Return all profiles of a person, with every part of the log in which they are theirs.

    What was theirs under several of their ids, which an alias brought together, is told by the requests to join. Two
    queries, however many profiles others used too.
    """
    people = {profile_id for profile_id, _, _ in person.spans}
    shared = [profile_id for profile_id, since, until in person.spans if (since, until) != (0, OPEN)]
    states = load_people(connection, shared)
    links: dict[UUID, list[LoggedEvent]] = {profile_id: [] for profile_id in shared}
    for link in load_links(connection, shared):
        links[link.profile_id].append(link)
    known: dict[UUID, dict[int, int]] = {}
    for profile_id, since, until in person.spans:
        known.setdefault(profile_id, {})[until] = since
    found: list[tuple[UUID, int, int]] = []
    for profile_id, spans in known.items():
        if profile_id in links:
            spans |= _list_all(profile_id, states.get(profile_id), links[profile_id], people)
        found += [(profile_id, spans[end], end) for end in sorted(spans)]
    return tuple(found)


def _list_all(
    profile_id: UUID, state: ProfileState | None, links: Iterable[LoggedEvent], people: Collection[UUID]
) -> dict[int, int]:
    """Return the spans of a profile that are those people's: where each ends, and where it begins."""
    is_known = state is not None and state.user_id is not None
    ended = find_ended(links, is_known)
    spans = {period.until: period.since for period in ended if period.owner in people}
    if state is not None and state.linked_to in people:
        spans[OPEN] = state.joined.get(profile_id.hex, [0, OPEN])[0]
    return spans


def find_ended(links: Iterable[LoggedEvent], is_known: bool) -> list[Ownership]:
    """Return the periods that a second sign-in ended, as `answer_link` of the evaluator ended them.

    A known profile is joined by a server's alias only.
    """
    found: list[Ownership] = []
    tenure = Tenure()
    since: int = 0
    since_moment: datetime | None = None
    for link in links:
        claim = read_claim(link)
        if not succeeds(claim, tenure, is_known):
            continue
        if tenure.owner is not None:
            period = Ownership(
                owner=tenure.owner,
                since=since,
                until=link.seq,
                since_moment=since_moment,
                until_moment=link.received_at,
            )
            found.append(period)
            since, since_moment = link.seq, link.received_at
        tenure = Tenure(owner=claim.owner, seq=claim.seq)
    return found
