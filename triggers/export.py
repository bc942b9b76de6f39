"""All that is held of a person, as one JSON document that is written as it is read: a page of rows at a time.

The rows are those of the tables, with their columns' names. Of a device that others used as well, only the part that
was this person's. What one lane told another is included, but for requests to join that name somebody else.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from engagement.lib.ids import compute_lane
from engagement.lib.postgres import open_connection
from tracking.erasure.ask import is_held
from tracking.erasure.moments import load_belongings
from tracking.erasure.periods import load_spans
from tracking.erasure.remove import find_told_addresses
from tracking.identities import compute_address_id
from tracking.log.write import Connection
from tracking.profiles import OPEN, Spans, load_person
from triggers.channels.address import hash_address

PAGE = 1_000
PAYLOADS = 10
"""Payloads in the memory at once: one may hold a megabyte."""
FORMAT = 1
_PIECE = 256 * 1024
_TIMEOUT_MS = 60_000

_PERSON = "profile_id = %(profile)s and {seq} > %(since)s and {seq} <= %(until)s"
_NOT_OF_OTHERS = "({name} <> '$linked' or ({properties} ->> 'profile')::uuid = any(%(people)s))"

# Each returns (id, the row as JSON), in the order of the ids and behind one, up to a page.
_EVENTS = f"""
select id, to_jsonb(e)::text from event e
 where {_PERSON.format(seq="seq")} and {_NOT_OF_OTHERS.format(name="name", properties="properties")}
   and id > %(after)s order by id limit %(page)s
"""
_CHANGES = f"""
select id, to_jsonb(c)::text from profile_change c
 where {_PERSON.format(seq="seq")}
   and {_NOT_OF_OTHERS.format(name="patch ->> 'name'", properties="patch -> 'properties'")}
   and id > %(after)s order by id limit %(page)s
"""
_ACTIVATIONS = f"""
select a.id, (to_jsonb(a) || jsonb_build_object('rule', r.name))::text
  from activation a left join triggers_rule r on r.id = a.rule_id
 where {_PERSON.format(seq="event_seq")} and a.id > %(after)s order by a.id limit %(page)s
"""
_DELIVERIES = f"""
select d.id, (to_jsonb(d) || jsonb_build_object('rule', r.name, 'attempts', coalesce(
           (select jsonb_agg(to_jsonb(t) order by number) from attempt t
             where t.delivery_id = d.id and t.lane = d.lane), '[]')))::text
  from delivery d left join triggers_rule r on r.id = d.rule_id
 where d.profile_id = %(profile)s and d.id > %(after)s
   and (%(whole)s or d.activation_id in (select id from activation where {_PERSON.format(seq="event_seq")}))
 order by d.id limit %(page)s
"""
_SET_ASIDE = f"""
select event_id, to_jsonb(s)::text from set_aside s
 where event_id in (select id from event where {_PERSON.format(seq="seq")}) and event_id > %(after)s
 order by event_id limit %(page)s
"""
_TIMERS = f"""
select event_id, (to_jsonb(t) || jsonb_build_object('rule', r.name))::text
  from timer t left join triggers_rule r on r.id = t.rule_id
 where lane = %(lane)s and {_PERSON.format(seq="seq")} and event_id > %(after)s order by event_id limit %(page)s
"""
_SECTIONS = {
    "events": _EVENTS,
    "profile_changes": _CHANGES,
    "activations": _ACTIVATIONS,
    "deliveries": _DELIVERIES,
    "timers": _TIMERS,
    "set_aside": _SET_ASIDE,
}
_PROFILES = "select id, to_jsonb(p) from profile p where id = any(%s)"
_WRITTEN_TO = f"""
select distinct address from delivery d
 where d.profile_id = %(profile)s and address <> ''
   and (%(whole)s or d.activation_id in (select id from activation where {_PERSON.format(seq="event_seq")}))
"""
_THEIRS = """
exists (select from unnest(%(profiles)s::uuid[], %(since)s::timestamptz[], %(until)s::timestamptz[])
                    as belonging (profile, since, until)
         where {whose} and (since is null or received_at > since) and (until is null or received_at <= until))
"""
_QUARANTINED = f"""
select id from tracking_quarantined
 where people && %(anybody)s::uuid[]
   and ({_THEIRS.format(whose="profile = any(people)")} or people <@ %(addresses)s::uuid[])
 order by id
"""
_HOOK_PAYLOADS = f"""
select id from hook_payload
 where profile_id = any(%(profiles)s) and {_THEIRS.format(whose="profile = profile_id")} order by id
"""
# What stands beside the log: which rows, then each with its payload.
_PAYLOADS = {
    "quarantined": (
        _QUARANTINED,
        "payload",
        "select to_jsonb(q) - 'payload' - 'people', payload from tracking_quarantined q where id = any(%s) order by id",
    ),
    "webhook_payloads": (
        _HOOK_PAYLOADS,
        "body",
        "select to_jsonb(h) - 'body', body from hook_payload h where id = any(%s) order by id",
    ),
}
_SUPPRESSIONS = """
select channel, reason, created_at from triggers_suppression where address_hash = any(%s) order by created_at
"""


def export_person(profile_id: UUID) -> Iterator[bytes] | None:
    """Return the document, in pieces, on a connection of its own; None when nothing is held."""
    with open_connection("engagement-export", timeout_ms=_TIMEOUT_MS) as connection:
        person = load_person(connection, profile_id)
        if person is None and not is_held(connection, profile_id):
            return None
        spans = load_spans(connection, person) if person is not None else ((profile_id, 0, OPEN),)
    return write_export(spans)


def write_export(person: Spans) -> Iterator[bytes]:
    """Yield the document in pieces of at most a page of rows."""
    with open_connection("engagement-export", timeout_ms=_TIMEOUT_MS) as connection:
        people = [profile_id for profile_id, _, _ in person]
        head = {"format": FORMAT, "exported_at": datetime.now(UTC), "profiles": _load_profiles(connection, person)}
        yield msgspec.json.encode(head)[:-1]
        for name, query in _SECTIONS.items():
            yield f',"{name}":['.encode()
            yield from _join(row for span in person for row in _read_rows(connection, query, span, people))
            yield b"]"
        addresses = _find_addresses(connection, person)
        whose = _describe_belongings(connection, person, addresses)
        for name, (query, column, read) in _PAYLOADS.items():
            yield f',"{name}":['.encode()
            yield from _join(_read_payloads(connection, query, whose, column, read))
            yield b"]"
        yield b"," + msgspec.json.encode({"suppressions": _load_suppressions(connection, addresses)})[1:]


def _join(rows: Iterator[str]) -> Iterator[bytes]:
    """Yield rows with commas between them, a hundred or some 256 KB at a time."""
    waiting: list[str] = []
    size = 0
    is_first = True
    for row in rows:
        waiting.append(row)
        size += len(row)
        if len(waiting) >= 100 or size >= _PIECE:
            yield (("" if is_first else ",") + ",".join(waiting)).encode()
            waiting, size, is_first = [], 0, False
    if waiting:
        yield (("" if is_first else ",") + ",".join(waiting)).encode()


def _describe_span(span: tuple[UUID, int, int]) -> dict[str, Any]:
    profile_id, since, until = span
    lane, whole = compute_lane(profile_id), (since, until) == (0, OPEN)
    return {"profile": profile_id, "lane": lane, "since": since, "until": until, "whole": whole}


def _read_rows(connection: Connection, query: str, span: tuple[UUID, int, int], people: list[UUID]) -> Iterator[str]:
    """Yield the rows of one profile, read page by page."""
    values = _describe_span(span) | {"people": people, "page": PAGE, "after": UUID(int=0)}
    while True:
        rows = connection.execute(query.encode(), values).fetchall()
        yield from (row[1] for row in rows)
        if len(rows) < PAGE:
            return
        values["after"] = rows[-1][0]


def _read_payloads(connection: Connection, query: str, whose: dict[str, Any], column: str, read: str) -> Iterator[str]:
    """Yield rows with their payloads as text, some at a time."""
    ids = [row[0] for row in connection.execute(query.encode(), whose).fetchall()]
    for start in range(0, len(ids), PAYLOADS):
        for row, payload in connection.execute(read.encode(), (ids[start : start + PAYLOADS],)).fetchall():
            yield msgspec.json.encode(row | {column: bytes(payload).decode("utf-8", "replace")}).decode()


def _find_addresses(connection: Connection, person: Spans) -> list[str]:
    """Return the person's mail addresses: those that were told of them, and those that were written to."""
    found: set[str] = set()
    for span in person:
        values = _describe_span(span)
        found |= find_told_addresses(connection, *span, is_whole=values["whole"])
        found |= {row[0] for row in connection.execute(_WRITTEN_TO.encode(), values).fetchall()}
    return sorted(found)


def _describe_belongings(connection: Connection, person: Spans, addresses: list[str]) -> dict[str, Any]:
    """Return what tells whose a payload is, and when it must have come."""
    belongings = load_belongings(connection, person)
    profiles = [one.profile_id for one in belongings]
    hashes = [compute_address_id(address) for address in addresses]
    return {
        "profiles": profiles,
        "since": [one.since for one in belongings],
        "until": [one.until for one in belongings],
        "addresses": hashes,
        "anybody": profiles + hashes,
    }


def _load_profiles(connection: Connection, person: Spans) -> list[dict[str, Any]]:
    """Return the person's profiles; of a device that others used too only its id, and each part that was theirs."""
    rows: dict[UUID, dict[str, Any]] = dict(
        connection.execute(_PROFILES, ([profile_id for profile_id, _, _ in person],)).fetchall()
    )
    found = []
    for profile_id, since, until in person:
        row = rows.get(profile_id)
        if row is None:
            continue
        if (since, until) != (0, OPEN):
            row = {name: row[name] for name in ("id", "anonymous_id", "source_id")}
        found.append(row | {"since_seq": since, "until_seq": None if until == OPEN else until})
    return found


def _load_suppressions(connection: Connection, addresses: list[str]) -> list[dict[str, Any]]:
    """Return which of the addresses may not be written to, and why."""
    hashes = [hash_address("email", address) for address in addresses]
    rows = connection.execute(_SUPPRESSIONS, (hashes,)).fetchall()
    return [dict(zip(("channel", "reason", "created_at"), row, strict=True)) for row in rows]
