"""A pass for one destination: claim lanes, read what is due, send it, move the cursors.

Nothing is locked while the network is waited for: a lease stands for the lock, and the cursor moves on its token. Who
dies in between leaves the lease, and after it the same batch, with the same ids, is sent again. So a copy arrives at
least once, and the receiver tells a repeated one by its id.
"""

from threading import BoundedSemaphore
from time import monotonic

import msgspec
from django.conf import settings

from tracking.log.write import Connection
from triggers.forward.choice import read_choice
from triggers.forward.claim import Claim, claim_lanes
from triggers.forward.collect import collect_copies, load_names
from triggers.forward.copies import Copy
from triggers.forward.kinds.base import Result, Verdict
from triggers.forward.record import record_outcome
from triggers.forward.secrets import SettingsBroken, open_kind
from triggers.forward.send import Outcome, pack_claimed, send_strands
from triggers.models import Destination

BUDGET = 15.0

_DUE = """
select d.id from triggers_destination d join triggers_destinationprogress p on p.destination_id = d.id
 where d.state = 'on' and (p.retry_at is null or p.retry_at <= clock_timestamp())
   and exists (select from lane_cursor mine
                 join lane_cursor leader on leader.consumer = 'evaluator' and leader.lane = mine.lane
                where mine.consumer = 'destination:' || d.id and mine.position < leader.position)
 order by p.worked_at nulls first, d.id
"""

# Wherever a destination went, its cursors go too: they would hold back retention for nobody.
_FORGET = """
delete from lane_cursor where consumer like 'destination:%'
   and consumer not in (select 'destination:' || id from triggers_destination where state <> 'off')
"""

_slots = BoundedSemaphore(settings.COPY_PASSES)


class PassReport(msgspec.Struct, kw_only=True):
    """What a pass did: rounds, copies that arrived, those refused for good, and what stopped it."""

    rounds: int = 0
    sent: int = 0
    refused: int = 0
    trouble: str = ""


def find_due(connection: Connection) -> list[int]:
    """Return the destinations that have something new and may be tried, those first that nobody worked on longest."""
    return [row[0] for row in connection.execute(_DUE).fetchall()]


def forget_gone(connection: Connection) -> int:
    """Delete the cursors of destinations that are off or gone; return how many there were."""
    return connection.execute(_FORGET).rowcount


def run_pass(connection: Connection, destination_id: int, budget: float = BUDGET) -> PassReport:
    """Tell a destination what is new, for about `budget` seconds. Safe twice and in parallel: lanes are shared out.

    At most COPY_PASSES at once in a process: whoever waits for slow servers must leave threads for other work.
    """
    report = PassReport()
    if not _slots.acquire(blocking=False):
        return report
    try:
        deadline = monotonic() + budget
        while monotonic() < deadline and not report.trouble:
            destination = Destination.objects.filter(pk=destination_id).first()
            claim = claim_lanes(connection, destination_id) if destination is not None else None
            if destination is None or claim is None:
                break
            _run_round(connection, destination, claim, report)
    finally:
        _slots.release()
    return report


def _run_round(connection: Connection, destination: Destination, claim: Claim, report: PassReport) -> None:
    copies = _collect(connection, destination, claim)
    outcome = _send(destination, claim, copies)
    record_outcome(connection, claim, copies, outcome)
    report.rounds += 1
    report.sent += len(outcome.sent)
    report.refused += len(outcome.refused)
    report.trouble = outcome.shut.reason if outcome.shut is not None else ""


def _collect(connection: Connection, destination: Destination, claim: Claim) -> list[Copy]:
    choice, names = read_choice(destination), load_names(connection)
    return [
        copy for batch in claim.batches for copy in collect_copies(connection, choice, batch.lane, batch.events, names)
    ]


def _send(destination: Destination, claim: Claim, copies: list[Copy]) -> Outcome:
    if not copies:
        return Outcome()
    try:
        kind = open_kind(destination)
    except SettingsBroken as error:
        return Outcome(shut=Verdict(result=Result.SHUT, reason=str(error)))
    strands, refused = pack_claimed(kind, copies, claim.doubtful)
    outcome = send_strands(kind, strands, is_probe=claim.is_probe, doubtful=claim.doubtful, refusals=claim.refusals)
    outcome.refused |= refused
    return outcome
