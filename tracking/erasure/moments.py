"""When a part of a profile was somebody's: a span of the log as moments, for what stands beside the log."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import msgspec

from tracking.erasure.hashes import hash_profile
from tracking.log.write import Connection
from tracking.profiles import OPEN, Spans

_CHANGED_HANDS = """
with place as (select * from unnest(%s::uuid[], %s::uuid[], %s::bigint[]) as one (profile, hash, seq))
select place.profile, place.seq, (patch ->> 'received_at')::timestamptz
  from place join profile_change c on c.profile_id = place.profile and c.seq = place.seq
 union all
select place.profile, place.seq, erased_at
  from place join tombstone on profile_hash = place.hash and until_seq = place.seq
"""

Moments = dict[tuple[UUID, int], datetime]
"""When a profile changed hands, by the profile and the place in the log."""


class Belonging(msgspec.Struct, frozen=True, kw_only=True):
    """A profile is somebody's between two moments, the first exclusive; None: without a bound."""

    profile_id: UUID
    since: datetime | None
    until: datetime | None


def load_belongings(connection: Connection, person: Spans) -> list[Belonging]:
    """Return the moments between which each profile of a person is theirs: mostly always, without a query.

    A span that begins or ends where nothing tells when is left out: it may be somebody else's.
    """
    places = {(profile_id, seq) for profile_id, *ends in person for seq in ends if seq not in (0, OPEN)}
    moments = _load_moments(connection, places) if places else {}
    found = (_date(moments, profile_id, since, until) for profile_id, since, until in person)
    return [one for one in found if one is not None]


def _date(moments: Moments, profile_id: UUID, since: int, until: int) -> Belonging | None:
    begin, end = moments.get((profile_id, since)), moments.get((profile_id, until))
    if (begin is None and since != 0) or (end is None and until != OPEN):
        return None
    return Belonging(profile_id=profile_id, since=begin, until=end)


def _load_moments(connection: Connection, places: Collection[tuple[UUID, int]]) -> Moments:
    profiles = [profile_id for profile_id, _ in places]
    values = (profiles, [hash_profile(profile_id) for profile_id in profiles], [seq for _, seq in places])
    rows = connection.execute(_CHANGED_HANDS, values).fetchall()
    return {(profile_id, seq): moment for profile_id, seq, moment in rows}
