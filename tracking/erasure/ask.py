"""Asking for an erasure: a receipt, and an event in the person's lane that the evaluator carries out.

So the erasure has a place in the log: all that is before it is decided and then goes, and what comes after it is a new
person's. From the first profile it is told to all others that were this person's, and to the devices that were asked
whether they are.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import msgspec

from engagement.lib.ids import compute_lane, compute_timed_id
from tracking.erasure.hashes import hash_profile
from tracking.event import ERASE, SYSTEM, NewEvent
from tracking.log.read import LoggedEvent, load_sequence
from tracking.log.write import Connection, encode_row, write_within
from tracking.profiles import OPEN, ProfileState, load_person

_OPEN = """
select id from erasure where profile_hash = any(%s) and completed_at is null order by requested_at desc limit 1
"""
# Who asks for the same person waits for whoever does so already. Of two numbers, unlike the locks of the log.
_ONE_AT_A_TIME = "select pg_advisory_xact_lock(%s, %s)"
_LOCKS = 78
# A profile that is not told yet will be, and all that it has done by then goes. What one lane tells another is not new.
_HOLDS_NEWER = """
select exists (
    select from unnest(%(ids)s::uuid[], %(hashes)s::uuid[]) one (id, hash)
      join lateral (select coalesce(max(until_seq), (
                               select max(seq) from event o where o.profile_id = one.id and o.name = '$erase'
                                  and o.properties ->> 'erasure' = %(erasure)s::text)) as place,
                           bool_or(is_whole) as is_whole from tombstone
                     where profile_hash = hash and erasure_id = %(erasure)s having count(*) > 0) part on true
     where place < %(last)s
        or exists (select from event e where e.profile_id = one.id and e.origin <> %(system)s and e.seq > place)
        or (is_whole and (exists (select from hook_payload where profile_id = one.id)
                          or exists (select from tracking_quarantined where people @> array[one.id]))))
"""
_FORMER = """
select erasure_id from tombstone where profile_hash = %s and erased_at is not null order by erased_at desc limit 1
"""
_ADD = """
insert into erasure (id, profile_hash, requested_at, requested_by, counts)
values (%s, %s, clock_timestamp(), %s, '{}') returning requested_at
"""
_ADD_PARTS = """
insert into tombstone (profile_hash, erasure_id, lane, outlying, is_whole, counts, returned)
select hash, %s, lane, '{}', false, '{}', 0 from unnest(%s::uuid[], %s::smallint[]) one (hash, lane) order by hash
    on conflict do nothing returning profile_hash
"""
_REOPEN = "update tombstone set completed_at = null where profile_hash = any(%s) and erasure_id = %s"
_HOLDS = """
select exists (select from profile where id = %(id)s) or exists (select from event where profile_id = %(id)s)
    or exists (select from profile_change where profile_id = %(id)s)
    or exists (select from hook_payload where profile_id = %(id)s)
    or exists (select from tracking_quarantined where people @> array[%(id)s::uuid])
"""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a `$erase` says. `people` are the person's profiles but for devices, which nobody can join: a person may
    have thousands. There are none in the first, which finds them.

    `path` are the profiles with which it was to begin, and which it was passed on from. `is_waiting` where the profile
    may be somebody's whom no lane knows of yet: it begins when all that is before it is decided in every lane. `found`
    is whose profile turned out to be the person's only after this one was told: it is told once more.
    """

    erasure: UUID
    people: list[UUID] = []
    path: list[UUID] = []
    is_waiting: bool = False
    found: UUID | None = None


def ask_erasure(connection: Connection, profile_id: UUID, by: str) -> UUID | None:
    """Have all that is held of the person with this profile erased; return the id of the receipt.

    Asked again while it is not done, or with nothing held any more, it is the same receipt, unless something of them
    may have come in that this erasure leaves. None when nothing is held and nothing was. `by` says who asked, and is
    kept.
    """
    with connection.transaction():
        person = load_person(connection, profile_id)
        root = person.id if person is not None else profile_id
        hashes = [hash_profile(root), hash_profile(profile_id)]
        connection.execute(_ONE_AT_A_TIME, (_LOCKS, hashes[0].int % (1 << 31)))
        row = connection.execute(_OPEN, (hashes,)).fetchone()
        if row is not None and not _is_left(connection, row[0], person, {root, profile_id}):
            return UUID(str(row[0]))
        if row is None and person is None and not is_held(connection, profile_id):
            row = connection.execute(_FORMER, (hashes[1],)).fetchone()
            return row[0] if row is not None else None
        erasure_id = compute_timed_id(datetime.now(UTC), "erasure", uuid4().hex)
        order = Order(erasure=erasure_id, is_waiting=person is None or person.user_id is None)
        (moment,) = connection.execute(_ADD, (erasure_id, hashes[0], by)).fetchall()[0]
        append_orders(connection, order, add_parts(connection, order, [root]), moment)
    return erasure_id


def _is_left(
    connection: Connection, erasure_id: UUID, person: ProfileState | None, profile_ids: Collection[UUID]
) -> bool:
    """Whether an erasure that is not done may leave something of a person: what came after it.

    Whatever anybody did may tell that somebody without a name is them.
    """
    joined = [one for one, _, until in person.spans if until == OPEN] if person is not None else []
    ids = sorted({*profile_ids, *joined})
    is_named = person is not None and person.user_id is not None
    values = {
        "ids": ids,
        "hashes": [hash_profile(one) for one in ids],
        "erasure": erasure_id,
        "system": SYSTEM,
        "last": 0 if is_named else load_sequence(connection),
    }
    row = connection.execute(_HOLDS_NEWER, values).fetchone()
    return bool(row and row[0])


def is_held(connection: Connection, profile_id: UUID) -> bool:
    """Whether anything is held of a profile."""
    row = connection.execute(_HOLDS, {"id": profile_id}).fetchone()
    return bool(row and row[0])


def add_parts(connection: Connection, order: Order, profile_ids: Collection[UUID]) -> list[UUID]:
    """Note that profiles are to be told of an erasure; return those that were not told yet."""
    by_hash = {hash_profile(one): one for one in profile_ids}
    lanes = [compute_lane(one) for one in by_hash.values()]
    added = connection.execute(_ADD_PARTS, (order.erasure, list(by_hash), lanes)).fetchall()
    return sorted(by_hash[row[0]] for row in added)


def reopen_parts(connection: Connection, order: Order, profile_ids: Collection[UUID]) -> None:
    """Note that profiles which were told of an erasure are to be told once more: it is not done before."""
    connection.execute(_REOPEN, ([hash_profile(one) for one in profile_ids], order.erasure))


def append_orders(connection: Connection, order: Order, profile_ids: Sequence[UUID], moment: datetime) -> None:
    """Append a `$erase` into the lane of each profile, as the last statements of the caller's transaction."""
    write_within(connection, [encode_row(_describe(order, one, moment)) for one in profile_ids])


def read_order(event: LoggedEvent) -> Order:
    """Return what a `$erase` says."""
    return msgspec.convert(event.properties, Order)


def is_order(event: LoggedEvent) -> bool:
    """Whether an event is to be carried out, and not decided. Nobody but the platform itself can send one."""
    return event.name == ERASE and event.origin == SYSTEM


def _describe(order: Order, profile_id: UUID, moment: datetime) -> NewEvent:
    return NewEvent(
        id=compute_timed_id(
            moment, ERASE, order.erasure.hex, profile_id.hex, *([order.found.hex] if order.found else [])
        ),
        lane=compute_lane(profile_id),
        profile_id=profile_id,
        name=ERASE,
        properties=msgspec.to_builtins(order),
        context={},
        origin=SYSTEM,
        occurred_at=moment,
    )
