"""Silences that were never found, or were found and were none: computed from the log, beside what a replay decides.

Who returned is told by the evaluator's own code, which closes the same silence with the same id whether a scan had
found it or not. Who did not is found at the end, in the replay's copies: waits that are over, and people who are quiet.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from engagement.lib.ids import read_moment
from tracking.event import DERIVED, IMPORT, MAX_DEPTH, NewEvent, compute_derived_id
from tracking.log.read import LoggedEvent
from tracking.log.write import Connection
from tracking.profiles import is_activity, load_people
from tracking.queries import Pause, find_events, find_last_activities, find_live_between, find_stored
from tracking.registry import Registry
from triggers.detect.coverage import is_covered
from triggers.detect.describe import ends_wait, find_endings, moves_wait
from triggers.detect.scan_silence import QuietPerson, find_quiet
from triggers.detect.timer_book import TIMER_COLUMNS, TimerRow
from triggers.rulebook import MAX_STEP, ActiveRule, RuleBook

GRACE = timedelta(seconds=60)
"""How long after the horizon has passed it a silence may still be on its way."""
PAGE = 1_000

_BEGINNING = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_OVER = f"""
select {TIMER_COLUMNS} from timer
 where due_at <= %s and (due_at, profile_id, rule_id, key) > (%s, %s, %s, %s)
 order by due_at, profile_id, rule_id, key limit %s
"""


class SilenceDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A silence that follows from the log and is not in it, or the reverse. `event_id` is, or would be, its event's."""

    event_id: UUID
    rule_id: int
    profile_id: UUID
    key: str
    last_event_id: UUID
    complete_at: datetime


class SilenceAudit:
    """What the log says of silences, against those that are in it. `horizon` is how far production has looked."""

    def __init__(
        self,
        connection: Connection,
        book: RuleBook,
        registry: Registry,
        starts: Mapping[int, datetime],
        watermarks: Mapping[int, datetime],
        horizon: datetime | None,
    ) -> None:
        self.connection = connection
        self.book = book
        self.registry = registry
        self.starts = starts
        self.watermarks = watermarks
        self.horizon = horizon
        self.found = 0
        self.missed: list[SilenceDifference] = []
        self.unfounded: list[SilenceDifference] = []

    def check_returns(self, derived: Iterable[NewEvent]) -> None:
        """Note which of the silences that a return closes are not in the log."""
        silences = [_describe(event) for event in derived if event.origin == DERIVED]
        known = [one for one, armed_seq in silences if not self.book.is_interrupted(one.rule_id, armed_seq)]
        self.missed += self._find_missing(known)

    def check_found(self, events: Sequence[LoggedEvent]) -> None:
        """Note which of the silences in a piece of the log are none: a made-up id, or somebody who was active."""
        silences = [
            (event, _describe(event), rule)
            for event in events
            if event.origin == DERIVED and (rule := self._find_rule(event)) is not None
        ]
        self.found += len(silences)
        if not silences:
            return
        pauses = [
            Pause(one.profile_id, one.last_event_id, armed_seq, event.seq, one.complete_at)
            for event, (one, armed_seq), _ in silences
        ]
        disturbing = find_live_between(self.connection, pauses)
        for (event, (one, armed_seq), rule), between in zip(silences, disturbing, strict=True):
            timer = _make_timer(event, one, armed_seq)
            # A rule that looked for something else meanwhile may have found it by its earlier version.
            is_same = not self.book.is_interrupted(one.rule_id, armed_seq)
            was_active = is_same and any(self._disturbs(rule, other, timer) for other in between)
            if event.id != _compute_id(one) or was_active:
                self.unfounded.append(one)

    def check_open(self) -> None:
        """Note which of the silences that nobody has ended are not in the log."""
        if self.horizon is None:
            return
        for page in self._read_over(self.horizon - GRACE):
            self._check_waits(page)
        shortest = min((rule.silence for rule in self.book.current.silences if rule.silence), default=None)
        if shortest is not None:
            for people in self._read_quiet(self.horizon - GRACE - MAX_STEP - shortest):
                self._check_quiet(people, self.horizon - GRACE - MAX_STEP)

    def _read_over(self, until: datetime) -> Iterator[list[TimerRow]]:
        after: tuple[datetime, UUID, int, str] = (_BEGINNING, UUID(int=0), 0, "")
        while True:
            rows = self.connection.execute(_OVER, (until, *after, PAGE)).fetchall()
            yield [TimerRow(*row) for row in rows]
            if len(rows) < PAGE:
                return
            last = TimerRow(*rows[-1])
            after = (last.due_at, last.profile_id, last.rule_id, last.key)

    def _check_waits(self, timers: Sequence[TimerRow]) -> None:
        """Of the few that were not found the log is asked whether they are any."""
        waiting = {}
        for timer in timers:
            rule = self.book.current.rules.get(timer.rule_id)
            if rule is not None and rule.wait is not None and not self.book.is_interrupted(rule.rule_id, timer.seq):
                waiting[_describe_wait(timer)] = (rule, timer)
        missing = self._find_missing(list(waiting))
        if not missing:
            return
        lasts = find_events(self.connection, [one.last_event_id for one in missing])
        people = load_people(self.connection, [one.profile_id for one in missing])
        for one in missing:
            rule, timer = waiting[one]
            last, person = lasts.get(one.last_event_id), people.get(one.profile_id)
            if last is None or person is None or last.name != rule.armed_by or not self._was_heard_of(last):
                continue
            if not find_endings(self.connection, rule, timer, person.spans):
                self.missed.append(one)

    def _read_quiet(self, until: datetime) -> Iterator[list[QuietPerson]]:
        after: tuple[datetime, UUID] = (_BEGINNING, UUID(int=0))
        while True:
            people = find_quiet(self.connection, after[0], until, PAGE, after)
            yield [person for person in people if person.linked_to is None]
            if len(people) < PAGE:
                return
            after = (people[-1].seen_at, people[-1].id)

    def _check_quiet(self, people: Sequence[QuietPerson], until: datetime) -> None:
        lasts = find_last_activities(
            self.connection,
            [(person.spans, person.seen_at) for person in people],
            passive_names=sorted(self.registry.passive_names),
            passive_sources=self.registry.passive_source_ids,
        )
        silences = [
            _describe_quiet(rule, person, last)
            for person, last in zip(people, lasts, strict=True)
            if last is not None and self._was_heard_of(last)
            for rule in self.book.current.silences
            if self._is_looked_for(rule, last, until)
        ]
        self.missed += self._find_missing(silences)

    def _is_looked_for(self, rule: ActiveRule, last: LoggedEvent, until: datetime) -> bool:
        if rule.silence is None:
            return False
        complete_at = last.active_at + rule.silence
        if complete_at > until or not is_covered(rule, complete_at, self.starts):
            return False
        # A rule that includes those who were silent already may be on its way to them.
        if rule.includes_past and last.active_at > self.watermarks.get(rule.rule_id, _BEGINNING):
            return False
        # What was complete when it was imported is found only by a rule that was in force then, or that began later.
        is_late = last.origin == IMPORT and complete_at <= last.received_at
        return not is_late or not self.book.is_interrupted(rule.rule_id, last.seq)

    def _was_heard_of(self, last: LoggedEvent) -> bool:
        """Whether its silence, complete or not, can have been looked for by now."""
        return last.depth < MAX_DEPTH and self.horizon is not None and last.received_at <= self.horizon - GRACE

    def _find_missing(self, silences: Sequence[SilenceDifference]) -> list[SilenceDifference]:
        stored = find_stored(self.connection, [one.event_id for one in silences]) if silences else set()
        return [one for one in silences if one.event_id not in stored]

    def _find_rule(self, event: LoggedEvent) -> ActiveRule | None:
        """Return the rule whose silence it is; None for one that was not in force there."""
        detector = event.context.get("detector")
        return self.book.at(event.seq).rules.get(detector["rule"]) if isinstance(detector, dict) else None

    def _disturbs(self, rule: ActiveRule, event: LoggedEvent, timer: TimerRow) -> bool:
        """Whether an event that was received before the silence was complete shows that there was none."""
        if rule.silence is not None:
            return is_activity(event, self.registry)
        return ends_wait(rule, event, timer) or moves_wait(rule, event, timer)


def _describe(event: NewEvent | LoggedEvent) -> tuple[SilenceDifference, int]:
    """Return the silence that an event says, and the number of the last event before it."""
    detector = event.context["detector"]
    silence = SilenceDifference(
        event_id=event.id,
        rule_id=detector["rule"],
        profile_id=event.profile_id,
        key=detector["key"],
        last_event_id=UUID(detector["armed_event"]),
        complete_at=event.occurred_at or _BEGINNING,
    )
    return silence, int(detector["armed_seq"])


def _describe_wait(timer: TimerRow) -> SilenceDifference:
    return _with_id(timer.rule_id, timer.profile_id, timer.key, timer.event_id, timer.due_at)


def _describe_quiet(rule: ActiveRule, person: QuietPerson, last: LoggedEvent) -> SilenceDifference:
    complete_at = last.active_at + (rule.silence or timedelta(0))
    return _with_id(rule.rule_id, person.id, "", last.id, complete_at)


def _with_id(rule_id: int, profile_id: UUID, key: str, last_id: UUID, complete_at: datetime) -> SilenceDifference:
    return SilenceDifference(
        event_id=compute_derived_id(str(rule_id), profile_id, key, last_id, read_moment(last_id)),
        rule_id=rule_id,
        profile_id=profile_id,
        key=key,
        last_event_id=last_id,
        complete_at=complete_at,
    )


def _compute_id(one: SilenceDifference) -> UUID:
    last_id = one.last_event_id
    return compute_derived_id(str(one.rule_id), one.profile_id, one.key, last_id, read_moment(last_id))


def _make_timer(event: LoggedEvent, one: SilenceDifference, armed_seq: int) -> TimerRow:
    return TimerRow(
        lane=event.lane,
        profile_id=one.profile_id,
        rule_id=one.rule_id,
        key=one.key,
        event_id=one.last_event_id,
        seq=armed_seq,
        occurred_at=datetime.fromisoformat(event.context["detector"]["armed_at"]),
        due_at=one.complete_at,
    )
