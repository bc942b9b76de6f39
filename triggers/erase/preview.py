"""How much would go with a person: for whoever is about to decide it."""

from typing import Any

import msgspec

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
       (select count(*) from timer where profile_id = any(%(ids)s)),
       (select count(*) from tracking_quarantined where people && %(ids)s::uuid[])
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
    values: dict[str, list[Any]] = {
        "ids": [span[0] for span in person],
        "since": [span[1] for span in person],
        "until": [span[2] for span in person],
    }
    row = connection.execute(_COUNT, values).fetchone()
    return Held(*row) if row is not None else Held(0, 0, 0, 0, 0, 0)
