"""Claiming what is due: the row is the outbox, a lease says who works on it."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import msgspec

from tracking.log.write import Connection

LEASE = timedelta(minutes=2)

_COLUMNS = "id, lane, activation_id, profile_id, rule_id, event_id, channel, attempts, expires_at"
_IS_STOPPED = "select exists (select from triggers_sendingswitch where is_stopped)"

# Rows of a paused rule stay planned and are not looked at; a rule that is resumed finds them due.
_CLAIM = f"""
with due as (
    select id, lane from delivery
     where state = 'planned' and due_at <= clock_timestamp()
       and rule_id not in (select id from triggers_rule where state in ('paused', 'draft'))
     order by due_at limit %(limit)s for update skip locked
)
update delivery d
   set state = 'claimed', claim_token = %(token)s, lease_until = clock_timestamp() + %(lease)s,
       updated_at = clock_timestamp()
  from due where d.id = due.id and d.lane = due.lane
returning {", ".join(f"d.{name}" for name in _COLUMNS.split(", "))}
"""

# Claimed and not handed over: nothing left the building. Handed over and no answer: nobody knows.
_RETURN = """
update delivery set state = 'planned', claim_token = null, lease_until = null, updated_at = clock_timestamp()
 where state = 'claimed' and lease_until < clock_timestamp()
"""
_DOUBT = """
update delivery
   set state = 'in_doubt', reason = 'no_answer', claim_token = null, lease_until = null, updated_at = clock_timestamp()
 where state = 'handed_over' and lease_until < clock_timestamp()
"""


class Claimed(msgspec.Struct, frozen=True):
    """A delivery that this worker holds. After the token, the fields are in the order of the columns."""

    token: UUID
    id: UUID
    lane: int
    activation_id: UUID
    profile_id: UUID
    rule_id: int
    event_id: UUID
    channel: str
    attempts: int
    expires_at: datetime


def claim_due(connection: Connection, limit: int) -> list[Claimed]:
    """Take up to `limit` deliveries whose time has come; none while all sending is stopped."""
    row = connection.execute(_IS_STOPPED).fetchone()
    if row is not None and row[0]:
        return []
    token = uuid4()
    values = {"limit": limit, "token": token, "lease": LEASE}
    rows = connection.execute(_CLAIM, values).fetchall()
    return [Claimed(token, *row) for row in rows]


def expire_leases(connection: Connection) -> None:
    """Give back what a dead worker had claimed, and put in doubt what it had handed over."""
    connection.execute(_RETURN)
    connection.execute(_DOUBT)
