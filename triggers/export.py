"""All that is held of a person, as one JSON document that is written as it is read: a page of rows at a time.

The rows are those of the tables, with their columns' names. Of a device that others used as well, only the part that
was this person's. What one lane told another is included, but for requests to join that name somebody else.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from engagement.lib.postgres import open_connection
from tracking.erasure.ask import is_held
from tracking.identities import compute_address_id
from tracking.log.write import Connection
from tracking.profiles import OPEN, Spans, load_person
from triggers.channels.address import hash_address

PAGE = 1_000
FORMAT = 1
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
 where {_PERSON.format(seq="seq")} and event_id > %(after)s order by event_id limit %(page)s
"""
_SECTIONS = {
    "events": _EVENTS,
    "profile_changes": _CHANGES,
    "activations": _ACTIVATIONS,
    "deliveries": _DELIVERIES,
    "timers": _TIMERS,
    "set_aside": _SET_ASIDE,
}
_PROFILES = "select id, to_jsonb(p) from profile p where id = any(%s) order by id"
_ADDRESSES = """
select patch -> 'properties' -> 'traits' ->> 'email' from profile_change
 where profile_id = any(%(people)s) and patch ->> 'name' = '$identify'
 union select traits ->> 'email' from profile where id = any(%(people)s)
 union select address from delivery where profile_id = any(%(people)s) and address <> ''
"""
_QUARANTINED = """
select to_jsonb(q) - 'payload' - 'people', payload from tracking_quarantined q
 where people && %(people)s::uuid[] or (people && %(addresses)s::uuid[] and people <@ %(addresses)s::uuid[])
 order by id
"""
_HOOK_PAYLOADS = "select to_jsonb(h) - 'body', body from hook_payload h where profile_id = any(%s) order by id"
_SUPPRESSIONS = """
select channel, reason, created_at from triggers_suppression where address_hash = any(%s) order by created_at
"""


def export_person(profile_id: UUID) -> Iterator[bytes] | None:
    """Return the document, in pieces, on a connection of its own; None when nothing is held."""
    with open_connection("engagement-export", timeout_ms=_TIMEOUT_MS) as connection:
        person = load_person(connection, profile_id)
        if person is None and not is_held(connection, profile_id):
            return None
    return write_export(person.spans if person is not None else ((profile_id, 0, OPEN),))


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
        yield b"," + msgspec.json.encode(_load_rest(connection, people))[1:]


def _join(rows: Iterator[str]) -> Iterator[bytes]:
    """Yield rows with commas between them, a hundred or so at a time."""
    waiting: list[str] = []
    is_first = True
    for row in rows:
        waiting.append(row)
        if len(waiting) >= 100:
            yield (("" if is_first else ",") + ",".join(waiting)).encode()
            waiting, is_first = [], False
    if waiting:
        yield (("" if is_first else ",") + ",".join(waiting)).encode()


def _read_rows(connection: Connection, query: str, span: tuple[UUID, int, int], people: list[UUID]) -> Iterator[str]:
    """Yield the rows of one profile, read page by page."""
    profile_id, since, until = span
    values: dict[str, Any] = {
        "profile": profile_id,
        "since": since,
        "until": until,
        "whole": (since, until) == (0, OPEN),
        "people": people,
        "page": PAGE,
        "after": UUID(int=0),
    }
    while True:
        rows = connection.execute(query.encode(), values).fetchall()
        yield from (row[1] for row in rows)
        if len(rows) < PAGE:
            return
        values["after"] = rows[-1][0]


def _load_profiles(connection: Connection, person: Spans) -> list[dict[str, Any]]:
    """Return the person's profiles; of a device that others used too only its id, and the part that was theirs."""
    spans = {profile_id: (since, until) for profile_id, since, until in person}
    found = []
    for profile_id, row in connection.execute(_PROFILES, (list(spans),)).fetchall():
        since, until = spans[profile_id]
        if (since, until) != (0, OPEN):
            row = {name: row[name] for name in ("id", "anonymous_id", "source_id")}
        found.append(row | {"since_seq": since, "until_seq": None if until == OPEN else until})
    return found


def _load_rest(connection: Connection, people: list[UUID]) -> dict[str, Any]:
    """Return what stands beside the log: refused items, payloads of webhooks, and addresses not to be written to."""
    addresses = {row[0] for row in connection.execute(_ADDRESSES, {"people": people}).fetchall() if row[0]}
    values = {"people": people, "addresses": [compute_address_id(address) for address in addresses]}
    quarantined = connection.execute(_QUARANTINED, values).fetchall()
    payloads = connection.execute(_HOOK_PAYLOADS, (people,)).fetchall()
    hashes = [hash_address("email", address) for address in addresses]
    suppressed = connection.execute(_SUPPRESSIONS, (hashes,)).fetchall()
    return {
        "quarantined": [row | {"payload": bytes(payload).decode("utf-8", "replace")} for row, payload in quarantined],
        "webhook_payloads": [row | {"body": bytes(body).decode("utf-8", "replace")} for row, body in payloads],
        "suppressions": [dict(zip(("channel", "reason", "created_at"), row, strict=True)) for row in suppressed],
    }
