"""Which version of which rule decides an event: the one in force at the event's place in the log.

Not by time: a commit is visible later than its clock says. An activation or a pause takes a number from the log's
own sequence and registers like a writer, so the bound stays below it until it is visible.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog

from tracking.log.write import Connection
from triggers.models import RuleState
from triggers.rules.compile import CompiledRule
from triggers.rules.definition import Abandonment, EventTrigger, Inactivity, Once, RuleDefinition, SessionEnd
from triggers.rules.errors import RuleInvalid
from triggers.rules.stored import compile_stored

MAX_STEP = timedelta(seconds=60)
STEPS_IN_SILENCE = 30
"""A silence may be found a tenth of its length too late: a step, a second between scans and the horizon add up."""

log = structlog.get_logger()


def describe_search(definition: RuleDefinition) -> tuple[str | None, ...]:
    """Return what a rule looks for the silence of, whatever its length: () for none, all activity or named events."""
    trigger = definition.trigger
    if isinstance(trigger, Abandonment):
        return (trigger.started_by, trigger.ended_by, trigger.key)
    if isinstance(trigger, Inactivity) and trigger.event is not None:
        return (trigger.event,)
    return () if isinstance(trigger, EventTrigger) else (None,)


@dataclass(frozen=True, kw_only=True)
class ActiveRule:
    """A version of a rule that is in force.

    With `includes_past` a rule for silence takes also those silences that were complete before it was activated.
    """

    rule_id: int
    version_id: int
    compiled: CompiledRule
    includes_past: bool = False

    @property
    def definition(self) -> RuleDefinition:
        """What the version says."""
        return self.compiled.definition

    @property
    def silence(self) -> timedelta | None:
        """How long a person's silence must be; None for a rule that waits for no silence of all activity."""
        trigger = self.definition.trigger
        if isinstance(trigger, SessionEnd) or (isinstance(trigger, Inactivity) and trigger.event is None):
            return timedelta(seconds=trigger.after)
        return None

    @property
    def wait(self) -> timedelta | None:
        """How long a timer of the rule runs; None for a rule without timers."""
        trigger = self.definition.trigger
        if isinstance(trigger, Abandonment) or (isinstance(trigger, Inactivity) and trigger.event is not None):
            return timedelta(seconds=trigger.after)
        return None

    @property
    def armed_by(self) -> str | None:
        """The event that arms a timer."""
        trigger = self.definition.trigger
        if isinstance(trigger, Abandonment):
            return trigger.started_by
        return trigger.event if isinstance(trigger, Inactivity) else None

    @property
    def is_once(self) -> bool:
        """Whether the rule may match a person once only."""
        return isinstance(self.definition.reentry, Once)

    @property
    def ended_by(self) -> str | None:
        """The event that clears a timer."""
        trigger = self.definition.trigger
        return trigger.ended_by if isinstance(trigger, Abandonment) else None


@dataclass(kw_only=True)
class RuleIndex:
    """The rules in force at a place of the log, by what they wait for; `broken` cannot be read, and start nothing."""

    rules: dict[int, ActiveRule] = field(default_factory=dict)
    by_event: dict[str, list[ActiveRule]] = field(default_factory=dict)
    by_armed: dict[str, list[ActiveRule]] = field(default_factory=dict)
    by_ended: dict[str, list[ActiveRule]] = field(default_factory=dict)
    silences: list[ActiveRule] = field(default_factory=list)
    broken: set[int] = field(default_factory=set)
    step: timedelta = MAX_STEP

    def add(self, rule: ActiveRule) -> None:
        """Take a rule into the index."""
        self.rules[rule.rule_id] = rule
        trigger = rule.definition.trigger
        if isinstance(trigger, EventTrigger):
            self.by_event.setdefault(trigger.event, []).append(rule)
        elif rule.silence is not None:
            self.silences.append(rule)
            self.step = min(self.step, rule.silence / STEPS_IN_SILENCE)
        for name, waiting in ((rule.armed_by, self.by_armed), (rule.ended_by, self.by_ended)):
            if name is not None:
                waiting.setdefault(name, []).append(rule)

    def find_started(self, name: str, detector: Any = None) -> Sequence[ActiveRule]:
        """Return the rules that an event may start: those of its name, and the one whose silence it is.

        `detector` is what a derived event says of its rule; whatever a client sends under that name is not believed.
        """
        named = self.by_event.get(name, ())
        own = self.rules.get(detector.get("rule", 0)) if isinstance(detector, dict) else None
        return [*named, own] if own is not None and own.definition.emitted_event == name else named


class RuleBook:
    """All versions of all rules, read once and kept until there is a newer one."""

    def __init__(self) -> None:
        self._newest = -1
        self._starts: list[int] = []
        self._versions: list[tuple[int, int, ActiveRule | None]] = []
        self._indexes: dict[int, RuleIndex] = {}
        self._compiled: dict[int, CompiledRule] = {}
        self._broken: set[int] = set()
        self._slacks: dict[str, timedelta] = {}
        self._ends: dict[int, int] = {}

    def refresh(self, connection: Connection) -> None:
        """Read the versions if there are new ones; after the bound, in a younger snapshot."""
        row = connection.execute("select coalesce(max(id), 0), count(*) from triggers_ruleversion").fetchone()
        newest = hash(row)
        if newest != self._newest:
            self._load(connection)
            self._newest = newest

    def at(self, seq: int) -> RuleIndex:
        """Return the rules in force for the event with this number."""
        count = bisect_left(self._starts, seq)
        if count not in self._indexes:
            self._indexes[count] = self._build(count)
        return self._indexes[count]

    @property
    def current(self) -> RuleIndex:
        """The rules in force for what comes next."""
        return self.at(1 << 62)

    def find_slack(self, name: str) -> timedelta:
        """Return how much later than its id's clock an event of this name may have happened.

        The id of a silence carries the moment of the last event before it, so it is behind by the whole wait: by the
        longest that any version ever had, since its events stay in the log.
        """
        return self._slacks.get(name, timedelta(0))

    def is_interrupted(self, rule_id: int, seq: int) -> bool:
        """Whether a rule was paused, or began to look for something else, after a place of the log."""
        return self._ends.get(rule_id, -1) > seq

    def _load(self, connection: Connection) -> None:
        rows = connection.execute(
            "select id, rule_id, state, definition, includes_past, from_seq"
            "  from triggers_ruleversion order by from_seq, id"
        ).fetchall()
        self._starts = [row[5] for row in rows]
        self._versions = [(row[1], row[0], self._describe(*row[:5])) for row in rows]
        self._indexes = {}
        self._slacks = {}
        self._ends = self._find_ends()
        for _, _, rule in self._versions:
            name = rule.definition.emitted_event if rule is not None else None
            wait = (rule.silence or rule.wait) if rule is not None else None
            if name is not None and wait is not None:
                self._slacks[name] = max(wait, self._slacks.get(name, wait))

    def _find_ends(self) -> dict[int, int]:
        ends: dict[int, int] = {}
        searches: dict[int, tuple[str | None, ...]] = {}
        for (rule_id, _, rule), from_seq in zip(self._versions, self._starts, strict=True):
            search = describe_search(rule.definition) if rule is not None else None
            if search is None or searches.get(rule_id, search) != search:
                ends[rule_id] = from_seq
            if search is not None:
                searches[rule_id] = search
        return ends

    def _describe(
        self, version_id: int, rule_id: int, state: str, definition: Any, includes_past: bool
    ) -> ActiveRule | None:
        if state != RuleState.ACTIVE:
            return None
        if version_id in self._broken:
            return None
        if version_id not in self._compiled:
            try:
                self._compiled[version_id] = compile_stored(definition)
            except RuleInvalid as invalid:
                # It alone starts nothing. The dashboard and its page say so too.
                self._broken.add(version_id)
                log.error("rule_broken", rule_id=rule_id, version_id=version_id, problem=str(invalid))
                return None
        compiled = self._compiled[version_id]
        return ActiveRule(rule_id=rule_id, version_id=version_id, compiled=compiled, includes_past=includes_past)

    def _build(self, count: int) -> RuleIndex:
        in_force: dict[int, tuple[int, ActiveRule | None]] = {}
        for rule_id, version_id, rule in self._versions[:count]:
            in_force[rule_id] = (version_id, rule)
        index = RuleIndex()
        for rule_id, (version_id, rule) in in_force.items():
            if rule is not None:
                index.add(rule)
            elif version_id in self._broken:
                index.broken.add(rule_id)
        return index
