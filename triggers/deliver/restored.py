"""After a restore: what the backup says is still to be sent may have been sent since it was taken.

Nothing in the database tells what happened after the backup. So whatever could have left by now is put in doubt, as a
message whose answer was lost is, and a person settles it.
"""

import msgspec
from django.db import connection

from triggers.policy.gates import HOLDS

RESTORED = "restored"
"""The reason of a delivery that is in doubt for this."""

# What was held has a later due time, and may have been let go since the backup.
_MAY_HAVE_LEFT = f"""
   d.state in ('claimed', 'handed_over')
or d.state = 'planned' and (d.due_at <= statement_timestamp()
                            or d.reason in ({", ".join(f"'{reason.value}'" for reason in HOLDS)}))
"""
_COUNT = f"""
select r.name, count(*) from delivery d left join triggers_rule r on r.id = d.rule_id
 where {_MAY_HAVE_LEFT} group by r.name order by r.name
"""
_DOUBT = f"""
update delivery d set state = 'in_doubt', reason = '{RESTORED}', claim_token = null, lease_until = null,
       updated_at = clock_timestamp()
 where {_MAY_HAVE_LEFT}
"""
_AT_WORK = """
select count(*) from pg_stat_activity
 where application_name in ('engagement-worker', 'engagement-beat') and datname = current_database()
"""
_UNDECIDED = """
select count(*) from lane_cursor c, lateral (
    select from event e where e.lane = c.lane and e.seq > c.position limit 1000) waiting
 where c.consumer = 'evaluator'
"""
# The greatest number that anything in the database knows of.
_NUMBERS = """
select case when is_called then last_value else 0 end,
       greatest((select max(position) from lane_cursor), (select max(from_seq) from triggers_ruleversion),
                (select max(greatest) from generate_series(0, 63) of_lane,
                        lateral (select max(seq) as greatest from event where lane = of_lane) one), 0)
  from event_seq_seq
"""


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What a restored database holds. `doubtful` counts by rule; `undecided` counts up to 1,000 events a lane."""

    doubtful: dict[str, int]
    undecided: int
    sequence: int
    greatest: int

    @property
    def is_set_back(self) -> bool:
        """Whether the log would give out numbers that are behind its readers: nobody would ever read those events."""
        return self.sequence < self.greatest


def count_at_work() -> int:
    """Return how many connections of workers and beats there are."""
    with connection.cursor() as cursor:
        cursor.execute(_AT_WORK)
        return int(cursor.fetchone()[0])


def look_at_restored() -> Restored:
    """Look, and change nothing."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT)
        doubtful = {name or "a rule that is gone": number for name, number in cursor.fetchall()}
        cursor.execute(_UNDECIDED)
        undecided = cursor.fetchone()[0]
        cursor.execute(_NUMBERS)
        sequence, greatest = cursor.fetchone()
    return Restored(doubtful=doubtful, undecided=undecided, sequence=sequence, greatest=greatest)


def advance_sequence() -> None:
    """Set the log's sequence forward to what its readers have passed; never back."""
    found = look_at_restored()
    if found.is_set_back:
        with connection.cursor() as cursor:
            cursor.execute("select setval('event_seq_seq', %s)", [found.greatest])


def put_in_doubt() -> int:
    """Put in doubt what may have been sent since the backup; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(_DOUBT)
        return int(cursor.rowcount)
