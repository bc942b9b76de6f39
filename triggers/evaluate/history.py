"""What a rule must know of a person's past, loaded for a whole batch at once."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from engagement.lib.ids import compute_boundary
from engagement.lib.records import pack_rows
from tracking.log.write import Connection
from tracking.profiles import Spans
from triggers.rules.facts import HistoryNeed

_DAY = timedelta(days=1)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """How often did a person do something before an event?

    `slack` widens the range of ids for derived events; `reach` is how far back "ever" looks.
    """

    person: Spans
    need: HistoryNeed
    seq: int
    now: datetime
    slack: timedelta = timedelta(0)
    reach: timedelta


# The id's clock lies within a day of occurred_at, so the range on the id is a day wider than the window. `offset 0` as
# in `tracking/queries.py`.
_COUNT = """
select q.n, (select count(*) from unnest(q.profiles, q.froms, q.untils) as span (profile, since_seq, until_seq)
              cross join lateral (
                  select from event e
                   where e.profile_id = span.profile and e.seq > span.since_seq and e.seq <= span.until_seq
                     and e.id >= q.lower and e.name = q.name and e.seq < q.seq
                     and e.occurred_at <= q.now and e.occurred_at > q.since offset 0) own)
  from jsonb_to_recordset(%s) as q (n integer, profiles uuid[], froms bigint[],
       untils bigint[], lower uuid, name text, seq bigint, now timestamptz, since timestamptz)
"""


def load_history(connection: Connection, questions: Sequence[Question]) -> list[int]:
    """Return the count for each question, in order."""
    if not questions:
        return []
    rows = [_describe(number, question) for number, question in enumerate(questions)]
    counts: dict[int, int] = dict(connection.execute(_COUNT, (pack_rows(rows),)).fetchall())
    return [counts[number] for number in range(len(questions))]


def _describe(number: int, question: Question) -> dict[str, object]:
    within = question.need.within
    since = question.now - (timedelta(seconds=within) if within is not None else question.reach)
    lower = compute_boundary(since - _DAY - question.slack)
    return {
        "n": number,
        "profiles": [span[0] for span in question.person],
        "froms": [span[1] for span in question.person],
        "untils": [span[2] for span in question.person],
        "lower": lower,
        "name": question.need.event,
        "seq": question.seq,
        "now": question.now,
        "since": since,
    }
