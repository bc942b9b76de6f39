"""Claiming what is due: the row is the outbox, a lease says who works on it."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec

from tracking.log.write import Connection

LEASE = timedelta(minutes=2)
PAGE = 5_000

_COLUMNS = "id, lane, activation_id, profile_id, rule_id, event_id, channel, attempts, expires_at"

# Compared with the statement's time, which is one value: the clock's own is read for each row, and no index can be
# searched by it.
_HELD = """case when d.expires_at <= statement_timestamp() then null
                when switch.is_stopped then 'sending_stopped'
                when r.state = 'paused' then 'rule_paused'
                when r.state = 'draft' then 'rule_draft' end"""
_DUE = f"""
with switch as (select exists (select from triggers_sendingswitch where is_stopped) as is_stopped),
due as (
    select d.id, d.lane, {_HELD} as held
      from delivery d cross join switch left join triggers_rule r on r.id = d.rule_id
     where d.state = 'planned' and d.due_at <= statement_timestamp()"""

# What a paused rule or the switch holds is put off until it expires: each row is looked at once and not with every
# claim, however many wait. `wake_held` brings it back.
_CLAIM = f"""{_DUE}
     order by d.due_at limit %(limit)s for update of d skip locked
)
update delivery d
   set state = case when held is null then 'claimed' else d.state end,
       claim_token = case when held is null then %(token)s::uuid end,
       lease_until = case when held is null then clock_timestamp() + %(lease)s end,
       reason = coalesce(held, d.reason), due_at = case when held is null then d.due_at else d.expires_at end,
       updated_at = clock_timestamp()
  from due where d.id = due.id and d.lane = due.lane
returning held, {", ".join(f"d.{name}" for name in _COLUMNS.split(", "))}
"""
_HOLD = f"""{_DUE} and {_HELD} is not null
     order by d.due_at limit %s for update of d skip locked
)
update delivery d set reason = held, due_at = d.expires_at, updated_at = clock_timestamp()
  from due where d.id = due.id and d.lane = due.lane
"""

# One look into the index for each rule that may send, however many rows the others hold.
_WAKE = """
update delivery d set due_at = clock_timestamp(), reason = '', updated_at = clock_timestamp()
  from (select held.id, held.lane from triggers_rule r cross join lateral (
            select id, lane from delivery
             where rule_id = r.id and state = 'planned' and reason in ('rule_paused', 'rule_draft', 'sending_stopped')
             limit %s for update skip locked) held
         where r.state in ('active', 'archived') and not exists (select from triggers_sendingswitch where is_stopped)
       ) held
 where d.id = held.id and d.lane = held.lane
"""

# What waits for an address is due again when the person changes. The index holds nothing else.
_WAKE_PEOPLE = """
update delivery d set due_at = clock_timestamp(), reason = '', updated_at = clock_timestamp()
  from (select id, lane from delivery
         where profile_id = any(%s) and state = 'planned' and reason in ('awaits_address', 'awaits_valid_address')
         order by id for update) held
 where d.id = held.id and d.lane = held.lane
"""

_RELEASE = """
update delivery set state = 'planned', claim_token = null, lease_until = null, updated_at = clock_timestamp()
 where id = any(%s) and claim_token = %s and state = 'claimed'
"""

# Claimed and not handed over: nothing left the building. Handed over and no answer: nobody knows; the token stays, for
# an answer that comes late.
_RETURN = """
update delivery set state = 'planned', claim_token = null, lease_until = null, updated_at = clock_timestamp()
 where state = 'claimed' and lease_until < statement_timestamp()
"""
_DOUBT = """
update delivery set state = 'in_doubt', reason = 'no_answer', lease_until = null, updated_at = clock_timestamp()
 where state = 'handed_over' and lease_until < statement_timestamp()
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
    """Take up to `limit` deliveries whose time has come. What must wait is put off, and costs none of the limit."""
    values: dict[str, Any] = {"limit": limit, "token": uuid4(), "lease": LEASE}
    while True:
        rows = connection.execute(_CLAIM, values).fetchall()
        claimed = [Claimed(values["token"], *row[1:]) for row in rows if row[0] is None]
        if claimed or len(rows) < limit:
            return claimed
        hold_due(connection)


def hold_due(connection: Connection) -> None:
    """Put off all that is due and held, by pages: a page of nothing else stood before what may be sent."""
    while connection.execute(_HOLD, (PAGE,)).rowcount == PAGE:
        pass


def wake_held(connection: Connection) -> int:
    """Make due what was held by a rule or a switch that holds it no more; return how many.

    It goes by how rules and switch stand, not by who changed them: none is forgotten, whoever held it meanwhile.
    """
    return connection.execute(_WAKE, (PAGE,)).rowcount


def wake_people(connection: Connection, profile_ids: Collection[UUID]) -> int:
    """Make due what waits for the address of somebody of whom more is known now; return how many.

    The caller has these people's rows locked, as has who decides to wait: neither can miss what the other does.
    """
    return connection.execute(_WAKE_PEOPLE, (sorted(profile_ids),)).rowcount if profile_ids else 0


def release_claims(connection: Connection, claimed: list[Claimed]) -> None:
    """Give back what was claimed and not begun."""
    if claimed:
        connection.execute(_RELEASE, ([delivery.id for delivery in claimed], claimed[0].token))


def expire_leases(connection: Connection) -> None:
    """Give back what a dead worker had claimed, and put in doubt what it had handed over."""
    connection.execute(_RETURN)
    connection.execute(_DOUBT)
