"""When a part of a profile was somebody's: a span of the log as moments, for what stands beside the log."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from tracking.erasure.hashes import hash_profile
from tracking.log.write import Connection
from tracking.profiles import OPEN, Spans

_CHANGED_HANDS = """
select seq, (patch ->> 'received_at')::timestamptz from profile_change where profile_id = %s and seq = any(%s)
 union all select until_seq, erased_at from tombstone where profile_hash = %s and until_seq = any(%s)
"""


class Belonging(msgspec.Struct, frozen=True, kw_only=True):
    """A profile is somebody's between two moments, the first exclusive; None: without a bound."""

    profile_id: UUID
    since: datetime | None
    until: datetime | None


def load_belongings(connection: Connection, person: Spans) -> list[Belonging]:
    """Return the moments between which each profile of a person is theirs: mostly always, without a query.

    A span that begins or ends where nothing tells when is left out: it may be somebody else's.
    """
    found = (_date(connection, profile_id, since, until) for profile_id, since, until in person)
    return [one for one in found if one is not None]


def _date(connection: Connection, profile_id: UUID, since: int, until: int) -> Belonging | None:
    seqs = [seq for seq in (since, until) if seq not in (0, OPEN)]
    moments = _load_moments(connection, profile_id, seqs) if seqs else {}
    if not moments.keys() >= set(seqs):
        return None
    return Belonging(profile_id=profile_id, since=moments.get(since), until=moments.get(until))


def _load_moments(connection: Connection, profile_id: UUID, seqs: Iterable[int]) -> dict[int, datetime]:
    values = (profile_id, list(seqs), hash_profile(profile_id), list(seqs))
    return dict(connection.execute(_CHANGED_HANDS, values).fetchall())
