"""The horizon: the latest moment up to which every received event has been decided.

Scans look up to it and never to the clock, so that a lagging lane delays a silence and cannot invent one.
"""

from datetime import datetime

from tracking.log.read import load_sequence
from tracking.log.write import Connection

_CLOCK = "select clock_timestamp()"
_TICK = "insert into log_tick (at, seq) values (%s, %s) on conflict do nothing"
_HORIZON = """
select max(at) from log_tick
 where seq <= (select min(position) from lane_cursor where consumer = %s)
"""


def record_tick(connection: Connection) -> None:
    """Store a moment and the sequence after it.

    First the clock, then the sequence: an event draws its number before it reads the clock, so whatever was received
    before the moment has a number up to that sequence.
    """
    row = connection.execute(_CLOCK).fetchone()
    if row is not None:
        connection.execute(_TICK, (row[0], load_sequence(connection)))


def load_horizon(connection: Connection, consumer: str) -> datetime | None:
    """Return the horizon of a consumer; None before its first tick was passed."""
    row = connection.execute(_HORIZON, (consumer,)).fetchone()
    return row[0] if row else None
