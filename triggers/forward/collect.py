"""From a stretch of a lane to the copies that are due: its events, and the activations that were decided there.

An activation is found at the place of the log where it was decided: at its event, or, where that belongs to a profile
that has joined another or was decided again, at the pointer (`$follow`) to it. Its id carries its event's moment, so
the primary key finds it.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from engagement.lib.ids import compute_boundary, read_moment
from tracking.event import FOLLOW, compute_anonymous_profile_id
from tracking.log.read import LoggedEvent
from tracking.log.write import Connection
from triggers.evaluate.run import CONSUMER
from triggers.forward.choice import Choice
from triggers.forward.copies import Copy, What

RULE_MATCHED = "rule_matched"
_MILLISECOND = timedelta(milliseconds=1)

# What was set aside was not decided at its own place but at the pointer that came later.
_ACTIVATIONS = """
select place.seq, a.id, a.profile_id, a.rule_id, a.event_id, a.occurred_at, a.created_at, p.user_id
  from unnest(%(seqs)s::bigint[], %(events)s::uuid[], %(profiles)s::uuid[], %(lowers)s::uuid[], %(uppers)s::uuid[])
    as place (seq, event_id, profile_id, lower, upper)
  join activation a on a.id >= place.lower and a.id < place.upper and a.lane = %(lane)s
   and a.event_id = place.event_id and a.profile_id = place.profile_id
   and (%(rules)s::bigint[] is null or a.rule_id = any(%(rules)s::bigint[]))
  left join profile p on p.id = a.profile_id and p.lane = a.lane
 where not exists (select from set_aside s
                    where s.consumer = %(consumer)s and s.lane = a.lane and s.seq = place.seq)
"""
_SOURCES = "select id, name from tracking_source"
_RULES = "select id, name from triggers_rule"


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What sources and rules are called, read once for a round."""

    sources: dict[int, str]
    rules: dict[int, str]


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where an event was decided, for whom."""

    seq: int
    event_id: UUID
    profile_id: UUID
    name: str


def load_names(connection: Connection) -> Names:
    """Return what sources and rules are called."""
    return Names(
        sources=dict(connection.execute(_SOURCES).fetchall()), rules=dict(connection.execute(_RULES).fetchall())
    )


def collect_copies(
    connection: Connection, choice: Choice, lane: int, events: Sequence[LoggedEvent], names: Names
) -> list[Copy]:
    """Return what is to be told of a lane's events, in the order of the log; an activation after its event."""
    copies = [copy for event in events if (copy := _copy_event(event, choice, names)) is not None]
    if events and not choice.is_empty_of_rules:
        copies += _load_activations(connection, choice, lane, events, names)
    return sorted(copies, key=lambda copy: (copy.seq, copy.what is What.ACTIVATION, copy.id))


def _copy_event(event: LoggedEvent, choice: Choice, names: Names) -> Copy | None:
    traits = choice.find_traits(event)
    if not traits and not choice.takes(event):
        return None
    device = None
    if event.anonymous_id is not None and event.source_id is not None:
        device = compute_anonymous_profile_id(event.source_id, event.anonymous_id).hex
    return Copy(
        id=event.id,
        what=What.IDENTIFY if traits else What.EVENT,
        lane=event.lane,
        seq=event.seq,
        name="identify" if traits else event.name,
        profile=event.profile_id.hex,
        user_id=event.user_id,
        device=device,
        properties=traits or event.properties,
        source=names.sources.get(event.source_id or 0, ""),
        occurred_at=event.occurred_at,
        received_at=event.received_at,
    )


def _load_activations(
    connection: Connection, choice: Choice, lane: int, events: Sequence[LoggedEvent], names: Names
) -> list[Copy]:
    places = [_find_place(event) for event in events]
    called = {place.event_id: place.name for place in places}
    moments = [read_moment(place.event_id) for place in places]
    values: dict[str, Any] = {
        "seqs": [place.seq for place in places],
        "events": [place.event_id for place in places],
        "profiles": [place.profile_id for place in places],
        "lowers": [compute_boundary(moment) for moment in moments],
        "uppers": [compute_boundary(moment + _MILLISECOND) for moment in moments],
        "lane": lane,
        "rules": None if choice.rules is None else sorted(choice.rules),
        "consumer": CONSUMER,
    }
    found = connection.execute(_ACTIVATIONS, values).fetchall()
    return [
        Copy(
            id=identifier,
            what=What.ACTIVATION,
            lane=lane,
            seq=seq,
            name=RULE_MATCHED,
            profile=profile_id.hex,
            user_id=user_id,
            device=None,
            properties={
                "rule": names.rules.get(rule_id, ""),
                "rule_id": rule_id,
                "event_name": called[event_id],
                "event_id": str(event_id),
            },
            source="",
            occurred_at=occurred_at,
            received_at=created_at,
        )
        for seq, identifier, profile_id, rule_id, event_id, occurred_at, created_at, user_id in found
    ]


def _find_place(event: LoggedEvent) -> _Place:
    event_id, name = event.id, event.name
    if event.name == FOLLOW:
        event_id, name = UUID(event.properties["event"]), str(event.properties.get("name", ""))
    return _Place(seq=event.seq, event_id=event_id, profile_id=event.profile_id, name=name)
