"""Events whose decision raised: noted, so that their lane goes on; decided again when somebody has mended the cause."""

from collections.abc import Sequence

from engagement.lib.ids import compute_timed_id, read_moment
from tracking.event import FOLLOW, SYSTEM, NewEvent
from tracking.log.append import Appender
from tracking.log.read import LoggedEvent
from tracking.log.write import Connection, encode_row

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


def decide_again(appender: Appender, events: Sequence[LoggedEvent]) -> None:
    """Have events decided at the log's end, under their own ids: twice asked, once done.

    The cursors never go back, and a replay steps over the original as production did. What a person did is pointed
    to; what one lane told another is said again.
    """
    appender.append([encode_row(_say_again(event)) for event in events])


def _say_again(event: LoggedEvent) -> NewEvent:
    is_own = event.origin == SYSTEM
    return NewEvent(
        id=compute_timed_id(read_moment(event.id), "again", event.id.hex),
        lane=event.lane,
        profile_id=event.profile_id,
        name=event.name if is_own else FOLLOW,
        properties=event.properties if is_own else {"event": str(event.id), "lane": event.lane, "name": event.name},
        context={},
        source_id=event.source_id,
        origin=SYSTEM,
        user_id=event.user_id,
        anonymous_id=event.anonymous_id,
        occurred_at=event.occurred_at,
    )
