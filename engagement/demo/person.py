"""The visitor as a person of the log: which profiles are theirs, and in which part of it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection
from django.db.models import Q

from engagement.demo.visitor import Visitor
from tracking.event import compute_anonymous_profile_id, compute_user_profile_id
from tracking.log.write import Connection
from tracking.models import Profile
from tracking.profiles import OPEN, PROFILE_COLUMNS, ProfileState, Spans, make_state


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """All of a visitor's profiles, and what is known of them."""

    spans: Spans
    traits: dict[str, Any]

    @property
    def profile_ids(self) -> list[UUID]:
        """The profiles, whatever their part of the log."""
        return [span[0] for span in self.spans]

    @property
    def events(self) -> Q:
        """The filter of the person's events."""
        found = Q(pk__in=[])
        for profile_id, since, until in self.spans:
            found |= Q(profile_id=profile_id, seq__gt=since, seq__lte=until)
        return found


def use_connection() -> Connection:
    """Return this request's connection as the log's own functions take it."""
    connection.ensure_connection()
    own: Connection = connection.connection
    return own


def find_person(visitor: Visitor, source_id: int) -> Person:
    """Return who looks: the known profile with all that joined it, and this device's own while that is nobody's."""
    known_id = compute_user_profile_id(visitor.address) if visitor.address else None
    own_id = compute_anonymous_profile_id(source_id, visitor.anonymous_id) if visitor.anonymous_id else None
    people = _load_people([identifier for identifier in (known_id, own_id) if identifier])
    spans: Spans = ()
    if known_id is not None:
        spans += people[known_id].spans if known_id in people else ((known_id, 0, OPEN),)
    own = people.get(own_id) if own_id is not None else None
    if own_id is not None and (own is None or own.linked_to is None):
        spans += own.spans if own is not None else ((own_id, 0, OPEN),)
    known = people.get(known_id) if known_id is not None else None
    return Person(spans=spans, traits=known.traits if known is not None else {})


def _load_people(ids: Sequence[UUID]) -> dict[UUID, ProfileState]:
    rows = Profile.objects.filter(id__in=ids).values_list(*PROFILE_COLUMNS.split(", "))
    return {row[0]: make_state(row) for row in rows}
