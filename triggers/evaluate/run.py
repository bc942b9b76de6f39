"""A pass of the evaluator: how far the log goes, which lanes lag, and each lane's batches in a transaction of its own.

All that follows from a batch, and the cursor, are committed together: effects on our tables happen exactly once, in
the order of arrival for each person, in parallel across lanes.
"""

import time
from collections.abc import Sequence

import msgspec
import psycopg
import structlog

from tracking.discovery import count_events, discover_types
from tracking.log.nudge import clear_nudge
from tracking.log.read import (
    LoggedEvent,
    claim_lane,
    ensure_cursors,
    find_lagging_lanes,
    load_bound,
    load_sequence,
    move_cursor,
    read_lane,
    skip_quiet_lanes,
)
from tracking.log.write import Connection
from tracking.registry import get_registry
from tracking.sampling import sample_events
from tracking.set_aside import set_aside
from triggers.evaluate.batch import Batch
from triggers.evaluate.effects import BatchReport
from triggers.rulebook import RuleBook

CONSUMER = "evaluator"
BATCH = 500
DEFAULT_BUDGET = 20.0

log = structlog.get_logger()


class PassReport(msgspec.Struct, kw_only=True):
    """What a pass did. `is_behind` says that the log goes on beyond what could be decided."""

    events: int = 0
    activations: int = 0
    deliveries: int = 0
    derived: int = 0
    set_aside: int = 0
    is_behind: bool = False

    def add(self, batch: BatchReport) -> None:
        """Count a batch."""
        self.events += batch.events
        self.activations += batch.activations
        self.deliveries += batch.deliveries
        self.derived += batch.derived


class Evaluator:
    """The consumer of the log that decides. One for each worker process; it keeps the rules compiled."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.book = RuleBook()
        self._has_cursors = False

    def run_pass(self, budget: float = DEFAULT_BUDGET) -> PassReport:
        """Decide what is new in all lanes that nobody else works on, for at most about `budget` seconds."""
        report = PassReport()
        deadline = time.monotonic() + budget
        clear_nudge()
        if not self._has_cursors:
            ensure_cursors(self.connection, CONSUMER)
            self._has_cursors = True
        bound = load_bound(self.connection)
        skip_quiet_lanes(self.connection, CONSUMER, bound)
        for lane in find_lagging_lanes(self.connection, CONSUMER, bound):
            self._run_lane(lane, bound, deadline, report)
            if time.monotonic() >= deadline:
                break
        report.is_behind = bound < load_sequence(self.connection) or time.monotonic() >= deadline
        return report

    def _run_lane(self, lane: int, bound: int, deadline: float, report: PassReport) -> None:
        limit = BATCH
        while time.monotonic() < deadline:
            try:
                events = self._run_batch(lane, bound, limit, report)
            except psycopg.OperationalError:
                raise
            except Exception as error:
                # A poison event must not stop its lane: halve the batch until it stands alone, then go on without it.
                if limit == 1:
                    self._set_aside_next(lane, bound, error, report)
                limit = max(limit // 2, 1)
                continue
            if events is None or len(events) < limit:
                return
            limit = min(limit * 2, BATCH)

    def _run_batch(self, lane: int, bound: int, limit: int, report: PassReport) -> Sequence[LoggedEvent] | None:
        with self.connection.transaction():
            position = claim_lane(self.connection, CONSUMER, lane, bound)
            if position is None:
                return None
            events = read_lane(self.connection, lane, position, bound, limit)
            if events:
                self.book.refresh(self.connection)
                batch = Batch(self.connection, lane, events, self.book, get_registry())
                done = batch.decide().save(self.connection)
                count_events(self.connection, events)
            move_cursor(self.connection, CONSUMER, lane, events[-1].seq if len(events) == limit else bound)
        if events:
            report.add(done)
            discover_types(self.connection, events)
            sample_events(self.connection, events)
        return events

    def _set_aside_next(self, lane: int, bound: int, error: Exception, report: PassReport) -> None:
        with self.connection.transaction():
            position = claim_lane(self.connection, CONSUMER, lane, bound)
            if position is None:
                return
            events = read_lane(self.connection, lane, position, bound, 1)
            for event in events:
                set_aside(self.connection, CONSUMER, event, f"{type(error).__name__}: {error}")
                move_cursor(self.connection, CONSUMER, lane, event.seq)
                report.set_aside += 1
                log.error("event_set_aside", lane=lane, seq=event.seq, event_id=str(event.id), exc_info=error)
