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
from tracking.erasure.ask import is_order, read_order
from tracking.erasure.remove import remove_events
from tracking.erasure.tombstones import note_returned, split_erased
from tracking.log.nudge import clear_nudge
from tracking.log.read import (
    LoggedEvent,
    claim_lane,
    ensure_cursors,
    find_lagging_lanes,
    load_bound,
    load_positions,
    load_sequence,
    move_cursor,
    read_lane,
    skip_quiet_lanes,
)
from tracking.log.write import Connection
from tracking.registry import get_registry
from tracking.sampling import sample_events
from tracking.set_aside import set_aside
from triggers.erase.carry_out import carry_out
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
    woken: int = 0
    set_aside: int = 0
    is_behind: bool = False

    def add(self, batch: BatchReport) -> None:
        """Count a batch."""
        self.events += batch.events
        self.activations += batch.activations
        self.deliveries += batch.deliveries
        self.derived += batch.derived
        self.woken += batch.woken


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
        lanes = find_lagging_lanes(self.connection, CONSUMER, bound)
        if lanes:
            # Once: a version that is not visible by now has its place in the log behind the bound.
            self.book.refresh(self.connection)
        for lane in lanes:
            self._run_lane(lane, bound, deadline, report)
            if time.monotonic() >= deadline:
                break
        is_late = time.monotonic() >= deadline
        report.is_behind = report.is_behind or is_late or bound < load_sequence(self.connection)
        return report

    def _run_lane(self, lane: int, bound: int, deadline: float, report: PassReport) -> None:
        limit = BATCH
        while time.monotonic() < deadline:
            try:
                has_more = self._run_batch(lane, bound, limit, report)
            except psycopg.OperationalError:
                raise
            except Exception as error:
                # A poison event must not stop its lane: halve the batch until it stands alone, then go on without it.
                if limit == 1:
                    self._set_aside_next(lane, bound, error, report)
                limit = max(limit // 2, 1)
                continue
            if not has_more:
                return
            limit = min(limit * 2, BATCH)

    def _run_batch(self, lane: int, bound: int, limit: int, report: PassReport) -> bool:
        """Decide the next events of a lane; return whether there may be more for now."""
        with self.connection.transaction():
            position = claim_lane(self.connection, CONSUMER, lane, bound)
            if position is None:
                return False
            found = read_lane(self.connection, lane, position, bound, limit)
            if found and is_order(found[0]):
                return self._erase(lane, found[0], report)
            has_more = len(found) == limit
            events, is_cut = _cut_before_order(found)
            if events:
                alive, done = self._decide(lane, events)
            move_cursor(self.connection, CONSUMER, lane, events[-1].seq if has_more or is_cut else bound)
        if events:
            report.add(done)
            discover_types(self.connection, alive)
            sample_events(self.connection, alive)
        return has_more or is_cut

    def _decide(self, lane: int, events: Sequence[LoggedEvent]) -> tuple[list[LoggedEvent], BatchReport]:
        """Decide a batch, but for what is erased, which goes from the log; return the others."""
        alive, erased, marked = split_erased(self.connection, events)
        # Before anything is decided: it must not count as somebody's history.
        self._take_away(lane, erased)
        effects = Batch(self.connection, lane, alive, self.book, get_registry(), marked).decide()
        done = effects.save(self.connection)
        count_events(self.connection, alive, effects.dropped)
        self._take_away(lane, effects.stale)
        return alive, done

    def _take_away(self, lane: int, events: Sequence[LoggedEvent]) -> None:
        """Delete what came of somebody after they were erased."""
        if events:
            remove_events(self.connection, lane, [event.id for event in events])
            note_returned(self.connection, events)

    def _erase(self, lane: int, event: LoggedEvent, report: PassReport) -> bool:
        """Take a step of an erasure; the cursor passes it with the last one. In between other lanes have their turn.

        That of a device begins once every lane has decided what is before it: only then is it known whose it was.
        """
        if read_order(event).is_waiting and not self._is_next(event):
            move_cursor(self.connection, CONSUMER, lane, event.seq - 1)
        elif carry_out(self.connection, event):
            move_cursor(self.connection, CONSUMER, lane, event.seq)
            return True
        report.is_behind = True
        return False

    def _is_next(self, event: LoggedEvent) -> bool:
        """Whether nothing before an event is still to be decided. Of all that wait the first never does."""
        positions = load_positions(self.connection, CONSUMER)
        return all(position >= event.seq - 1 for lane, position in positions.items() if lane != event.lane)

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


def _cut_before_order(events: Sequence[LoggedEvent]) -> tuple[Sequence[LoggedEvent], bool]:
    """Return the events before the first erasure: all that is before it is decided and committed when it begins."""
    place = next((place for place, event in enumerate(events) if is_order(event)), None)
    return (events, False) if place is None else (events[:place], True)
