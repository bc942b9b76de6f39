"""Events whose decision raised: noted, so that their lane goes on and somebody can look."""

from tracking.log.read import LoggedEvent
from tracking.log.write import Connection

_NOTE = """
insert into set_aside (consumer, lane, seq, event_id, reason, created_at)
values (%s, %s, %s, %s, %s, clock_timestamp()) on conflict do nothing
"""


def set_aside(connection: Connection, consumer: str, event: LoggedEvent, reason: str) -> None:
    """Note an event that a consumer steps over, with the reason (cut at 2,000 characters)."""
    connection.execute(_NOTE, (consumer, event.lane, event.seq, event.id, reason[:2000]))


def load_set_aside(connection: Connection, consumer: str) -> set[tuple[int, int]]:
    """Return the (lane, seq) of all events that a consumer stepped over."""
    return set(connection.execute("select lane, seq from set_aside where consumer = %s", (consumer,)).fetchall())
