"""Deleting what deciding and delivering hold of a person."""

from typing import Any
from uuid import UUID

import msgspec

from engagement.lib.records import pack_encoded
from tracking.erasure.remove import Part
from tracking.log.write import Connection
from triggers.policy.decision import Reason
from triggers.rules.trace import Outcome, Trace

_TIMERS = "delete from timer where lane = %s and profile_id = %s"
_ACTIVATIONS = """
select id from activation
 where profile_id = %(profile)s and (%(whole)s or (event_seq > %(since)s and event_seq <= %(until)s))
"""
# That a rule matched "once" on a device that is somebody else's now stays, without the event and what was found: it
# matches there no more, in a replay neither.
_REDACT_ONCE = """
update activation set event_id = %(nothing)s, trace = %(trace)s
 where profile_id = %(profile)s and event_seq > %(since)s and event_seq <= %(until)s and is_once
"""
# Locked before their attempts go: who writes an attempt does so under the delivery's lock.
_DELIVERIES = f"""
select id from delivery
 where profile_id = %(profile)s and lane = %(lane)s and (%(whole)s or activation_id in ({_ACTIVATIONS}))
 order by id limit %(limit)s for update
"""
_FIND_ACTIVATIONS = f"{_ACTIVATIONS} and (%(whole)s or not is_once) limit %(limit)s"
_STOP = f"""
update delivery set state = 'dropped', reason = %(reason)s, detail = '', claim_token = null, lease_until = null,
       updated_at = clock_timestamp()
 where profile_id = %(profile)s and lane = %(lane)s and state in ('planned', 'claimed')
   and (%(whole)s or activation_id in ({_ACTIVATIONS}))
"""
_ADDRESSES = f"""
select distinct address from delivery
 where profile_id = %(profile)s and lane = %(lane)s and address <> ''
   and (%(whole)s or activation_id in ({_ACTIVATIONS}))
"""
_DELETE_ATTEMPTS = "delete from attempt where lane = %s and delivery_id = any(%s)"
_DELETE_DELIVERIES = "delete from delivery where lane = %s and id = any(%s)"
_DELETE_ACTIVATIONS = "delete from activation where lane = %s and id = any(%s)"
_DELETE_REFUSED = "delete from triggers_refusedcopy where lane = %s and copy_id = any(%s)"


def remove_timers(connection: Connection, part: Part) -> int:
    """Delete the waits of a profile; return how many."""
    return connection.execute(_TIMERS, (part.lane, part.profile_id)).rowcount


def stop_deliveries(connection: Connection, part: Part) -> int:
    """Drop what is planned or claimed, so that none of it leaves; return how many messages."""
    return connection.execute(_STOP, _describe(part) | {"reason": Reason.ERASED.value}).rowcount


def find_addresses(connection: Connection, part: Part) -> set[str]:
    """Return the addresses that messages went to."""
    return {row[0] for row in connection.execute(_ADDRESSES, _describe(part)).fetchall()}


def remove_deliveries(connection: Connection, part: Part, limit: int) -> tuple[int, int]:
    """Delete up to `limit` deliveries and their attempts; return how many of each."""
    rows = connection.execute(_DELIVERIES, _describe(part, limit)).fetchall()
    ids = [row[0] for row in rows]
    if not ids:
        return 0, 0
    attempts = connection.execute(_DELETE_ATTEMPTS, (part.lane, ids)).rowcount
    return connection.execute(_DELETE_DELIVERIES, (part.lane, ids)).rowcount, attempts


def remove_activations(connection: Connection, part: Part, limit: int) -> tuple[int, int]:
    """Delete up to `limit` activations with their traces, and copies of them that were refused; how many of each."""
    rows = connection.execute(_FIND_ACTIVATIONS, _describe(part, limit)).fetchall()
    ids = [row[0] for row in rows]
    if not ids:
        return 0, 0
    refused = remove_refused_copies(connection, part.lane, ids)
    return connection.execute(_DELETE_ACTIVATIONS, (part.lane, ids)).rowcount, refused


def redact_activations(connection: Connection, part: Part) -> int:
    """Take everything but the fact out of what matched "once" on a device that was the person's for a time."""
    if part.is_whole:
        return 0
    trace = Trace(sentence="what was found has been erased", outcome=Outcome.MATCHED)
    values = {"nothing": UUID(int=0), "trace": pack_encoded(msgspec.json.encode(trace))}
    return connection.execute(_REDACT_ONCE, _describe(part) | values).rowcount


def remove_refused_copies(connection: Connection, lane: int, ids: list[UUID]) -> int:
    """Delete what other systems said of copies of events or activations; return how many."""
    return connection.execute(_DELETE_REFUSED, (lane, ids)).rowcount


def _describe(part: Part, limit: int = 0) -> dict[str, Any]:
    return {
        "profile": part.profile_id,
        "lane": part.lane,
        "since": part.since,
        "until": part.until,
        "whole": part.is_whole,
        "limit": limit,
    }
