"""How much would go with a person: for whoever is about to decide it."""

from typing import Any

import msgspec

from engagement.lib.ids import compute_lane
from tracking.erasure.moments import load_belongings
from tracking.log.write import Connection
from tracking.profiles import Spans

_COUNT = """
with span as (
    select * from unnest(%(ids)s::uuid[], %(since)s::bigint[], %(until)s::bigint[]) as one (profile, since, until)
), matched as (
    select a.id from span join activation a on a.profile_id = profile and event_seq > since and event_seq <= until
)
select (select count(*) from span join event e on e.profile_id = profile and seq > since and seq <= until),
       (select count(*) from matched),
       (select count(*) from span join delivery d on d.profile_id = profile where d.activation_id in (table matched)),
       (select count(*) from span join delivery d on d.profile_id = profile
         where d.activation_id in (table matched) and d.state in ('planned', 'claimed')),
       (select count(*) from timer where lane = any(%(lanes)s) and profile_id = any(%(ids)s)),
       (select count(*) from tracking_quarantined
         where people && %(ids)s::uuid[]
           and exists (select from unnest(%(profiles)s::uuid[], %(first)s::timestamptz[], %(last)s::timestamptz[])
                                   as belonging (profile, first, last)
                        where profile = any(people) and (first is null or received_at > first)
                          and (last is null or received_at <= last)))
"""


class Held(msgspec.Struct, frozen=True):
    """How much is held of a person. The order of the fields is that of the columns read."""

    events: int
    decisions: int
    messages: int
    planned: int
    waits: int
    refused: int


def count_held(connection: Connection, person: Spans) -> Held:
    """Count what is held of a person, under all their ids."""
    belongings = load_belongings(connection, person)
    values: dict[str, list[Any]] = {
        "ids": [span[0] for span in person],
        "lanes": [compute_lane(span[0]) for span in person],
        "since": [span[1] for span in person],
        "until": [span[2] for span in person],
        "profiles": [one.profile_id for one in belongings],
        "first": [one.since for one in belongings],
        "last": [one.until for one in belongings],
    }
    row = connection.execute(_COUNT, values).fetchone()
    return Held(*row) if row is not None else Held(0, 0, 0, 0, 0, 0)
