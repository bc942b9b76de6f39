"""Keeping account of an erasure: what each profile's part covers, how far it is, and when all is done."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb

from tracking.erasure.hashes import hash_profile
from tracking.erasure.remove import Part
from tracking.erasure.tombstones import Period
from tracking.log.read import LoggedEvent
from tracking.log.write import Connection

_REQUESTED = "select requested_at from erasure where id = %s"
_LOAD = """
select number, since_seq, until_seq, is_whole, erased_from, erased_at from tombstone
 where profile_hash = %s and erasure_id = %s and erased_at is not null order by number
"""
_BEGIN = """
insert into tombstone (profile_hash, erasure_id, lane, number, since_seq, until_seq, is_whole, erased_from, erased_at,
                       outlying, counts, returned)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, '{}', '{}', 0)
on conflict (profile_hash, erasure_id, lane, number) do update set
    since_seq = excluded.since_seq, until_seq = excluded.until_seq, is_whole = excluded.is_whole,
    erased_from = excluded.erased_from, erased_at = excluded.erased_at
"""
_GO_ON = """
update tombstone
   set outlying = outlying || %s::uuid[],
       counts = (select coalesce(jsonb_object_agg(name, number), '{}')
                   from (select name, sum(number::bigint) as number
                           from (select * from jsonb_each_text(tombstone.counts)
                                 union all select * from jsonb_each_text(%s)) one (name, number)
                          group by name) summed)
 where profile_hash = %s and erasure_id = %s and number = %s
"""
_WITHDRAW = "delete from tombstone where profile_hash = %s and erasure_id = %s"
# A profile's rows before the erasure's, as who reopens them takes them.
_LOCK_PARTS = "select from tombstone where profile_hash = %s and erasure_id = %s order by number for update"
_LOCK = "select from erasure where id = %s for update"
# Not where the profile is to be told once more of who was found since.
_END = """
update tombstone set completed_at = clock_timestamp()
 where profile_hash = %s and erasure_id = %s
   and not exists (select from event where lane = %s and seq > %s and profile_id = %s and name = '$erase'
                      and properties ->> 'erasure' = %s)
"""
# The two are written one after the other, by whoever holds the erasure's row: the last part finds all others ended.
_COMPLETE = """
update erasure
   set completed_at = clock_timestamp(),
       counts = (select coalesce(jsonb_object_agg(name, number), '{}')
                   from (select name, sum(one.number::bigint) as number
                           from tombstone part, jsonb_each_text(part.counts) one (name, number)
                          where part.erasure_id = erasure.id group by name) summed)
 where id = %s and not exists (select from tombstone where erasure_id = erasure.id and completed_at is null)
"""


def load_moment(connection: Connection, erasure_id: UUID) -> datetime | None:
    """Return when an erasure was asked for."""
    row = connection.execute(_REQUESTED, (erasure_id,)).fetchone()
    return row[0] if row is not None else None


def load_parts(connection: Connection, erasure_id: UUID, profile_id: UUID, lane: int) -> list[Part]:
    """Return the parts of a profile that were begun; none where it was not, or is nobody's of this erasure."""
    return [
        Part(
            profile_id=profile_id,
            lane=lane,
            number=row[0],
            since=row[1],
            until=row[2],
            is_whole=row[3],
            moment_since=row[4],
            moment_until=row[5],
        )
        for row in connection.execute(_LOAD, (hash_profile(profile_id), erasure_id)).fetchall()
    ]


def begin_part(connection: Connection, erasure_id: UUID, part: Part) -> None:
    """Set the tombstone: from this transaction's commit on, every consumer skips what it covers."""
    key = (hash_profile(part.profile_id), erasure_id, part.lane, part.number)
    values = (part.since, part.until, part.is_whole, part.moment_since, part.moment_until)
    connection.execute(_BEGIN, (*key, *values))


def note_removed(
    connection: Connection, erasure_id: UUID, part: Part, removed: Counter[str], ids: Iterable[UUID]
) -> None:
    """Add to what went, and remember the ids of events whose moment the tombstone does not cover."""
    period = Period(part.moment_since, part.moment_until, frozenset())
    outlying = [one for one in ids if not period.covers(one)]
    counts = Jsonb({name: number for name, number in removed.items() if number})
    connection.execute(_GO_ON, (outlying, counts, hash_profile(part.profile_id), erasure_id, part.number))


def withdraw_part(connection: Connection, erasure_id: UUID, profile_id: UUID) -> None:
    """Forget a profile's part, which begins with somebody else."""
    connection.execute(_WITHDRAW, (hash_profile(profile_id), erasure_id))


def end_part(connection: Connection, erasure_id: UUID, event: LoggedEvent) -> bool:
    """Say that nothing is left of what an order takes of a profile; return whether the erasure is done with it."""
    key = (hash_profile(event.profile_id), erasure_id)
    connection.execute(_LOCK_PARTS, key)
    connection.execute(_LOCK, (erasure_id,))
    connection.execute(_END, (*key, event.lane, event.seq, event.profile_id, str(erasure_id)))
    return connection.execute(_COMPLETE, (erasure_id,)).rowcount == 1
