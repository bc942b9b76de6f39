"""A message that never left becomes an event, `$not_sent`: what "once" and "not again within" count no more.

The event and the mark on the activation are committed together, and the mark is the event's place in the log. So
whoever decides an event sees every mark of a lower place, in whatever lane, and a replay finds the same in the log.
"""

from collections.abc import Sequence
from uuid import UUID

from engagement.lib.ids import compute_timed_id, read_moment
from tracking.event import NOT_SENT, SYSTEM, NewEvent
from tracking.log.write import Connection, encode_row, write_within

# By the primary keys of both.
_MARK = """
update activation a set released_seq = e.seq
  from unnest(%s::uuid[], %s::uuid[], %s::smallint[]) as x (event_id, activation_id, lane)
  join event e on e.id = x.event_id and e.lane = x.lane
 where a.id = x.activation_id and a.lane = x.lane and a.released_seq is null
"""


def make_not_sent(*, activation_id: UUID, lane: int, profile_id: UUID, rule_id: int, reason: str) -> NewEvent:
    """Return the event that says that a message was not sent.

    Its id carries the activation's moment: it stands in the partition of the event that started the rule, and an
    erasure that takes the one takes the other.
    """
    return NewEvent(
        id=compute_timed_id(read_moment(activation_id), "not_sent", activation_id.hex),
        lane=lane,
        profile_id=profile_id,
        name=NOT_SENT,
        properties={"activation": str(activation_id), "rule": rule_id, "reason": reason},
        context={},
        origin=SYSTEM,
    )


def append_with_not_sent(connection: Connection, events: Sequence[NewEvent], not_sent: Sequence[NewEvent]) -> None:
    """Append events, the last of them `$not_sent`, and mark the activations: the last statements of a transaction."""
    write_within(connection, [encode_row(event) for event in (*events, *not_sent)])
    if not_sent:
        activations = [UUID(event.properties["activation"]) for event in not_sent]
        values = ([event.id for event in not_sent], activations, [event.lane for event in not_sent])
        connection.execute(_MARK, values)
