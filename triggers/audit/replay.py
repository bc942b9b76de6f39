"""A replay: the log decided once more, by a consumer of its own that writes no table of production.

It runs the evaluator's own code on copies. A connection looks for a table among its temporary ones first, so profiles,
timers and activations of a replay are temporary tables of the same names; the log itself is only read. Silences and
links are in the log already, as events: they are its input, and nothing is appended. Which silences should be there is
computed beside it (`silences.py`).

What it decides with is what production decided with: the version of each rule in force at the event's place in the
log, and facts as of that place. Two things it takes as they are today: which sources and names count as activity, and
how late a source's events may be.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from operator import itemgetter
from uuid import UUID

import msgspec
import psycopg
import structlog

from tracking.event import ADOPTED, NOT_SENT, NewEvent
from tracking.log.horizon import load_horizon
from tracking.log.read import LoggedEvent, load_first_seq, load_positions, read_span
from tracking.log.write import Connection
from tracking.profiles import read_outlived_changes
from tracking.registry import get_registry
from tracking.set_aside import load_set_aside
from triggers.audit.silences import SilenceAudit
from triggers.detect.arm_from_log import Arming, arm_waits, find_lower
from triggers.evaluate.batch import Batch
from triggers.evaluate.run import CONSUMER
from triggers.rulebook import RuleBook

SPAN = 20_000
"""How many numbers of the log are read at once, and how many events that outlived it."""

log = structlog.get_logger()

_COPIES = ("profile", "timer", "activation")
_STORED = """
create temporary table stored_activation as
select id, lane, rule_id, rule_version_id, profile_id, event_id, event_seq, occurred_at from public.activation
"""
# What followed from events that retention took cannot be decided again, but counts for "once" and "not again within".
_EARLIER = """
insert into activation select a.* from public.activation a
 where not exists (select from event e where e.id = a.event_id)
"""
_RELEASE = """
update activation a set released_seq = x.seq from unnest(%s::uuid[], %s::bigint[]) as x (id, seq)
 where a.id = x.id and a.released_seq is null
"""


_DETECTORS = "select rule_id, watermark, started_at, arm_until, armed_seq from triggers_detector"


class StoredDetector(msgspec.Struct, frozen=True):
    """The search for silences of a rule. The order of the fields is that of the columns read."""

    rule_id: int
    watermark: datetime
    started_at: datetime
    arm_until: int | None
    armed_seq: int | None


class Extent(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay covers: from the first event that retention has left, in each lane up to where production is."""

    first_seq: int
    positions: dict[int, int]
    set_aside: set[tuple[int, int]]
    horizon: datetime | None
    detectors: list[StoredDetector]

    @property
    def starts(self) -> dict[int, datetime]:
        """From when on each rule looks for silences."""
        return {one.rule_id: one.started_at for one in self.detectors}

    @property
    def last_seq(self) -> int:
        """The furthest position of all lanes."""
        return max(self.positions.values(), default=0)


class Replay:
    """The log decided again on a connection of its own. When done, `activation` there holds what follows from it.

    `failed` are the events whose decision raised now and did not in production; `earlier` counts the activations whose
    events retention has taken, which are kept as they are.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.book = RuleBook()
        self.events = self.earlier = 0
        self.failed: list[LoggedEvent] = []
        self.released: dict[UUID, int] = {}
        self.derived: list[NewEvent] = []
        self.extent = self._prepare()
        self.book.refresh(connection)
        self.silences = SilenceAudit(
            connection,
            self.book,
            get_registry(),
            self.extent.starts,
            {one.rule_id: one.watermark for one in self.extent.detectors},
            self.extent.horizon,
        )

    def run(self) -> Iterator[int]:
        """Decide all; yield, after each piece, the number up to which the log is decided."""
        for outlived in read_outlived_changes(self.connection, SPAN):
            self._decide_lanes(outlived)
        after = self.extent.first_seq - 1
        # In a lane that lags, what production has not decided may say that a message was not sent: it knew by then.
        everything = dict.fromkeys(self.extent.positions, self.extent.last_seq)
        armed = [(one.armed_seq, one) for one in self.extent.detectors if one.armed_seq is not None]
        arming = sorted(armed, key=itemgetter(0))
        while after < self.extent.last_seq:
            while arming and arming[0][0] <= after:
                self._arm(arming.pop(0)[1])
            until = min(after + SPAN, self.extent.last_seq, *(seq for seq, _ in arming[:1]))
            events = read_span(self.connection, everything, after, until)
            self._note_not_sent(events)
            for piece in _cut([event for event in events if event.seq <= self.extent.positions[event.lane]]):
                self._decide_lanes(piece)
            self.silences.check_found(events)
            after = until
            yield after
        for _, detector in arming:
            self._arm(detector)
        self.silences.check_open()

    def _arm(self, detector: StoredDetector) -> None:
        """Arm from the log the waits that began before a rule was activated, where production had done so."""
        rule = self.book.at((detector.armed_seq or 0) + 1).rules.get(detector.rule_id)
        if rule is None or detector.arm_until is None:
            return
        after: UUID | None = find_lower(rule, self.extent.starts, self.book)
        while after is not None:
            left = Arming(rule, after, detector.arm_until)
            after = arm_waits(self.connection, left, self.extent.starts, get_registry())

    def _prepare(self) -> Extent:
        """Note, at one moment, how far production is and what it has stored; make the copies, empty.

        In one snapshot, since a cursor moves in the transaction that stores what follows from its events.
        """
        for table in _COPIES:
            self.connection.execute(f"create temporary table {table} (like public.{table} including all)".encode())
        with self.connection.transaction():
            self.connection.execute("set transaction isolation level repeatable read")
            extent = Extent(
                positions=load_positions(self.connection, CONSUMER),
                first_seq=load_first_seq(self.connection),
                set_aside=load_set_aside(self.connection, CONSUMER),
                horizon=load_horizon(self.connection, CONSUMER),
                detectors=[StoredDetector(*row) for row in self.connection.execute(_DETECTORS).fetchall()],
            )
            self.connection.execute(_STORED)
            self.earlier = self.connection.execute(_EARLIER).rowcount
        return extent

    def _note_not_sent(self, events: Sequence[LoggedEvent]) -> None:
        """Mark what was not sent, before anything is decided: a mark counts from its place in the log on."""
        self.released = {UUID(event.properties["activation"]): event.seq for event in events if event.name == NOT_SENT}
        if self.released:
            self.connection.execute(_RELEASE, (list(self.released), list(self.released.values())))

    def _decide_lanes(self, events: Sequence[LoggedEvent]) -> None:
        lanes: dict[int, list[LoggedEvent]] = {}
        for event in events:
            if (event.lane, event.seq) not in self.extent.set_aside:
                lanes.setdefault(event.lane, []).append(event)
        for lane in sorted(lanes):
            self._decide(lane, lanes[lane])
        self.silences.check_returns(self.derived)
        self.derived = []

    def _decide(self, lane: int, events: Sequence[LoggedEvent]) -> None:
        """Decide a piece of a lane; one that raises is halved until the event that is to blame stands alone."""
        try:
            with self.connection.transaction():
                batch = Batch(self.connection, lane, events, self.book, get_registry(), released=self.released)
                effects = batch.decide()
                effects.save_state(self.connection)
            self.derived += effects.derived
        except psycopg.OperationalError:
            raise
        except Exception as error:
            if len(events) > 1:
                middle = len(events) // 2
                self._decide(lane, events[:middle])
                self._decide(lane, events[middle:])
                return
            self.failed.extend(events)
            log.error("replay_failed", lane=lane, seq=events[0].seq, event_id=str(events[0].id), exc_info=error)
        self.events += len(events)


def _cut(events: Sequence[LoggedEvent]) -> Iterator[Sequence[LoggedEvent]]:
    """Split before each hand-over of a profile, so that all that it decided in its own lane is known by then."""
    start = 0
    for place, event in enumerate(events):
        if event.name == ADOPTED:
            yield events[start:place]
            start = place
    yield events[start:]
