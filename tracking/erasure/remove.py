"""Deleting what collecting holds of a person: with retention the only deletes of the log.

Everything here runs in the evaluator's transaction under the lane's cursor. What may be many rows goes by pieces.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from tracking.erasure.hashes import hash_profile
from tracking.erasure.names import forget_names
from tracking.identities import compute_address_id
from tracking.log.read import LoggedEvent
from tracking.log.write import Connection
from tracking.profiles import OPEN

_EVENTS = """
select id from event
 where profile_id = %(profile)s and seq > %(since)s and seq <= %(until)s and name <> '$erase'
   and (%(whole)s or name <> '$linked')
 order by id limit %(limit)s
"""
_ORDERS = """
select id from event
 where profile_id = %s and seq <= %s and name = '$erase' and properties ->> 'erasure' = %s
"""
# Between the least and the greatest id, so that only the partitions concerned are searched.
_DELETE_EVENTS = "delete from event where lane = %s and id = any(%s) and id >= %s and id <= %s"
_DELETE_SET_ASIDE = "delete from set_aside where lane = %s and event_id = any(%s)"
_DELETE_CHANGES = """
delete from profile_change where (id, lane) in (
    select id, lane from profile_change
     where profile_id = %(profile)s and seq > %(since)s and seq <= %(until)s
       and (%(whole)s or patch ->> 'name' <> '$linked') limit %(limit)s)
"""
_DELETE_LINK = "delete from event where lane = %s and id = %s"
_DELETE_LINK_COPY = "delete from profile_change where lane = %s and id = %s"
_REDACT_LINK = "update event set properties = %s, anonymous_id = null where lane = %s and id = %s"
_REDACT_LINK_COPY = "update profile_change set patch = patch || %s where lane = %s and id = %s"
_DELETE_PROFILE = "delete from profile where id = %s and lane = %s returning user_id, anonymous_id"
_RELEASE_PROFILE = """
update profile set linked_to = null, joined = %s, traits = '{}', public_traits = '[]',
       dropped_statements = 0, asked = '[]', seen_at = null
 where id = %s and lane = %s
"""
_CLEAR_PROFILE = """
update profile p
   set created_at = %(moment)s,
       seen_at = (select max(received_at) from event e
                   where e.profile_id = p.id and e.seq > %(until)s and left(e.name, 1) <> '$')
 where p.id = %(profile)s and p.lane = %(lane)s
"""
# By whatever operator; a list of addresses is as many addresses.
_TOLD = """
select distinct told #>> '{}' from profile_change, jsonb_path_query(patch, '$.properties.*.email[*]') told
 where profile_id = %(profile)s and seq > %(since)s and seq <= %(until)s
   and patch ->> 'name' in ('$identify', '$adopted')
"""
_KNOWN = "select told #>> '{}' from profile, jsonb_path_query(traits, '$.email[*]') told where id = %(profile)s"
_DELETE_QUARANTINED = """
delete from tracking_quarantined
 where (people && %(profiles)s::uuid[] or (people && %(addresses)s::uuid[] and people <@ %(addresses)s::uuid[]))
   and received_at > %(since)s and received_at <= %(until)s
"""
_DELETE_HOOK_PAYLOADS = """
delete from hook_payload where profile_id = %(profile)s and received_at > %(since)s and received_at <= %(until)s
"""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What of a profile is the person's: the log's numbers after `since` (exclusive) up to `until` (inclusive), which
    is everything where `is_whole`. `moment_since` (None: from the start) and `moment_until` say the same as moments.
    A device that was theirs several times has several, told apart by `number`."""

    profile_id: UUID
    lane: int
    number: int = 0
    since: int
    until: int
    is_whole: bool
    moment_since: datetime | None
    moment_until: datetime


def remove_changes(connection: Connection, part: Part, limit: int) -> int:
    """Delete up to `limit` copies of identifies and links; return how many."""
    return connection.execute(_DELETE_CHANGES, _describe(part, limit)).rowcount


def find_events(connection: Connection, part: Part, limit: int) -> list[UUID]:
    """Return up to `limit` events that are to go."""
    return [row[0] for row in connection.execute(_EVENTS, _describe(part, limit)).fetchall()]


def find_orders(connection: Connection, event: LoggedEvent) -> list[UUID]:
    """Return the `$erase` events of a profile that say the same as `event`, itself included."""
    values = (event.profile_id, event.seq, event.properties["erasure"])
    return [row[0] for row in connection.execute(_ORDERS, values).fetchall()]


def remove_events(connection: Connection, lane: int, ids: Sequence[UUID]) -> tuple[int, int]:
    """Delete events and what was noted of them; return how many, and how many notes."""
    if not ids:
        return 0, 0
    noted = connection.execute(_DELETE_SET_ASIDE, (lane, list(ids))).rowcount
    values = (lane, list(ids), min(ids), max(ids))
    return connection.execute(_DELETE_EVENTS, values).rowcount, noted


def remove_link(connection: Connection, link: LoggedEvent) -> None:
    """Delete a request to join, and its copy."""
    connection.execute(_DELETE_LINK_COPY, (link.lane, link.id))
    connection.execute(_DELETE_LINK, (link.lane, link.id))


def redact_link(connection: Connection, link: LoggedEvent, *, leaves_nobody: bool) -> None:
    """Take out of a request to join who asked: a replay must know that somebody else signed in, and not who.

    With `leaves_nobody` the profile was theirs from then on until the erasure, which made it nobody's.
    """
    properties = link.properties | {"profile": str(hash_profile(UUID(link.properties["profile"]))), "user_id": None}
    properties |= {"nobody": True} if leaves_nobody else {}
    copied = {"properties": properties, "anonymous_id": None}
    connection.execute(_REDACT_LINK, (Jsonb(properties), link.lane, link.id))
    connection.execute(_REDACT_LINK_COPY, (Jsonb(copied), link.lane, link.id))


def remove_profile(connection: Connection, part: Part, place: int) -> int:
    """Delete the profile; of a device that was somebody else's before or is so now, what is this person's.

    `place` is that of the erasure in the log. Return how many rows went.
    """
    if part.is_whole:
        gone = connection.execute(_DELETE_PROFILE, (part.profile_id, part.lane)).fetchall()
        forget_names(connection, {one for ids in gone for one in ids if one})
        return len(gone)
    if part.until == place:
        joined = Jsonb({part.profile_id.hex: [place, OPEN]})
        connection.execute(_RELEASE_PROFILE, (joined, part.profile_id, part.lane))
        return 0
    values = {"profile": part.profile_id, "lane": part.lane, "until": part.until, "moment": part.moment_until}
    connection.execute(_CLEAR_PROFILE, values)
    return 0


def find_addresses(connection: Connection, part: Part) -> set[str]:
    """Return the mail addresses that were told of a profile."""
    return find_told_addresses(connection, part.profile_id, part.since, part.until, part.is_whole)


def find_told_addresses(connection: Connection, profile_id: UUID, since: int, until: int, is_whole: bool) -> set[str]:
    """Return the mail addresses that were told of a profile between two places of the log, the first exclusive; of
    the whole profile, those that it holds as well."""
    values = {"profile": profile_id, "since": since, "until": until}
    rows = connection.execute(_TOLD, values).fetchall()
    rows += connection.execute(_KNOWN, values).fetchall() if is_whole else []
    return {row[0] for row in rows if row[0]}


def remove_payloads(connection: Connection, part: Part, addresses: set[str]) -> tuple[int, int]:
    """Delete what was refused or held of a person, and the last payloads of webhooks; return how many of each.

    A payload goes that names the person, or that holds their address and nobody's id.
    """
    values: dict[str, Any] = {
        "profile": part.profile_id,
        "profiles": [part.profile_id],
        "addresses": [compute_address_id(address) for address in addresses],
        "since": part.moment_since or "-infinity",
        "until": "infinity" if part.is_whole else part.moment_until,
    }
    forget_names(connection, addresses)
    quarantined = connection.execute(_DELETE_QUARANTINED, values).rowcount
    return quarantined, connection.execute(_DELETE_HOOK_PAYLOADS, values).rowcount


def _describe(part: Part, limit: int) -> dict[str, Any]:
    return {
        "profile": part.profile_id,
        "since": part.since,
        "until": part.until,
        "whole": part.is_whole,
        "limit": limit,
    }
