"""A lane's batch: what its events mean for people, timers and rules, decided in the order of the log.

Nothing is written before all is decided. A rule that depends on history is decided last, with one query for all.
Deciding reads, and locks what it reads; what follows is returned, for production or a replay to write.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import msgspec

from tracking.event import ADOPTED, DERIVED, FOLLOW, IMPORT, LINKED, LIVE, NOT_SENT, UNLINKED, NewEvent
from tracking.log.read import LoggedEvent
from tracking.log.write import Connection
from tracking.profiles import (
    ProfileState,
    Spans,
    apply_event,
    is_activity,
    is_past_activity,
    load_changes,
    load_profiles,
    start_profile,
)
from tracking.queries import find_events, find_sign_in
from tracking.registry import Registry
from triggers.deliver.plan import NewDelivery, plan_delivery
from triggers.detect.coverage import STARTING, is_covered, is_late, load_starts
from triggers.detect.timer_book import TimerBook, clear_ended, make_timer
from triggers.evaluate.effects import Effects, NewActivation, compute_activation_id
from triggers.evaluate.history import Question, load_history
from triggers.evaluate.linking import (
    TRAVELLING,
    adopt,
    answer_link,
    ask_for_links,
    forward,
    is_stale,
    leave_ring,
    release,
)
from triggers.evaluate.reentry import ReentryBook
from triggers.evaluate.returns import close_silences, close_timer
from triggers.rulebook import ActiveRule, RuleBook, RuleIndex
from triggers.rules.explain import explain_rule
from triggers.rules.facts import Facts, HistoryNeed
from triggers.rules.wording import Names


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that an event may start, with what was known of the person at that place of the log."""

    rule: ActiveRule
    event: LoggedEvent
    person: Spans
    profile_id: UUID
    traits: dict[str, Any]
    verdict: bool | None


class Batch:
    """One lane's next events, decided together. `marked` are profiles of which something was erased.

    `released` is a replay's: where in the log it is said that the message of an activation was not sent.
    """

    def __init__(
        self,
        connection: Connection,
        lane: int,
        events: Sequence[LoggedEvent],
        book: RuleBook,
        registry: Registry,
        marked: frozenset[UUID] = frozenset(),
        released: Mapping[UUID, int] | None = None,
    ) -> None:
        self.connection = connection
        self.lane = lane
        self.events = events
        self.book = book
        self.registry = registry
        self.marked = marked
        self.released = released or {}
        self.stale: list[LoggedEvent] = []
        self.profiles = load_profiles(connection, lane, sorted({event.profile_id for event in events}))
        self.timers = self._load_timers()
        self.followed = self._load_followed()
        self.candidates: list[Candidate] = []
        self.derived: list[NewEvent] = []

    def decide(self) -> Effects:
        """Decide all events and return what follows from them."""
        for event in self.events:
            self._decide_event(event)
        matched = [candidate for candidate in self._settle_unknown() if candidate.verdict]
        activations, deliveries = self._activate(matched)
        return Effects(
            events=self.events,
            profiles=sorted(self.profiles.values(), key=lambda state: state.id),
            timers=self.timers,
            activations=activations,
            deliveries=deliveries,
            derived=self.derived,
            stale=self.stale,
        )

    def _load_timers(self) -> TimerBook:
        """Most batches touch no timer: then none is read."""
        people = {event.profile_id for event in self.events if self._touches_timers(event)}
        return TimerBook.load(self.connection, self.lane, sorted(people)) if people else TimerBook()

    def _touches_timers(self, event: LoggedEvent) -> bool:
        index = self.book.at(event.seq)
        if event.origin == IMPORT and index.silences:
            return True
        return event.name in index.by_armed or event.name in index.by_ended or event.name in TRAVELLING

    def _load_followed(self) -> dict[UUID, LoggedEvent]:
        """Read what the pointers of this batch point to: events of other lanes that are decided here."""
        ids = {UUID(event.properties["event"]) for event in self.events if event.name == FOLLOW}
        found = find_events(self.connection, sorted(ids)) if ids else {}
        lacking = ids - found.keys()
        return found | load_changes(self.connection, sorted(lacking)) if lacking else found

    def _decide_event(self, event: LoggedEvent) -> None:
        if event.name == NOT_SENT:
            return
        state = self.profiles.get(event.profile_id)
        if event.profile_id in self.marked and is_stale(event, state, self.followed):
            self.stale.append(event)
            return
        if state is None:
            state = self.profiles[event.profile_id] = start_profile(event)
        if event.name != LINKED and state.linked_to is not None:
            leave_ring(event, state)
        if event.name == LINKED:
            self.derived += answer_link(event, state, self.timers)
        elif state.linked_to is not None:
            self.derived.append(forward(event, state))
        elif event.name == ADOPTED:
            adopt(event, state, self.timers)
        elif event.name == UNLINKED:
            self.derived += release(event, state, lambda one, after: self._find_sign_in(event, one, after))
        elif event.name == FOLLOW:
            original = self.followed.get(UUID(event.properties["event"]))
            if original is not None:
                own = msgspec.structs.replace(original, profile_id=state.id, lane=self.lane)
                self._decide_own(own, event.seq, state, event.received_at)
        else:
            self.derived += ask_for_links(event, state)
            self._decide_own(event, event.seq, state, event.received_at)

    def _find_sign_in(self, event: LoggedEvent, profile_id: UUID, after: int) -> int | None:
        """Return where a person was last seen with a profile, between a place in the log and an event of their lane."""
        return find_sign_in(self.connection, event.profile_id, profile_id, after_seq=after, before_seq=event.seq)

    def _decide_own(self, event: LoggedEvent, seq: int, state: ProfileState, arrived_at: datetime) -> None:
        """Decide what the person did. `seq` is its place in this lane, the event's own is its place in the log.

        `arrived_at` is when this lane heard of it.
        """
        index = self.book.at(event.seq)
        if event.origin == LIVE:
            self._close_by_return(event, state, index)
        apply_event(state, event, seq, self.registry, self.book.current.step)
        self._clear_timers(event, state, index)
        if event.origin == IMPORT:
            self._arm_by_history(event, state, index, arrived_at)
        if event.origin not in STARTING or is_late(event, self.registry):
            return
        self._arm_timers(event, state, index)
        self._match(event, state, index)

    def _close_by_return(self, event: LoggedEvent, state: ProfileState, index: RuleIndex) -> None:
        """Who returns before a scan noticed closes the silence: the same event, marked, goes into the log."""
        if index.silences and state.seen_at is not None and is_activity(event, self.registry):
            self.derived += close_silences(self.connection, event, state, index, self.registry, self.starts)
        touched = {rule.rule_id for rule in (*index.by_armed.get(event.name, ()), *index.by_ended.get(event.name, ()))}
        for timer in self.timers.all_of(state.id):
            rule = index.rules.get(timer.rule_id)
            if rule is not None and timer.rule_id in touched and timer.due_at <= event.received_at:
                self.derived += close_timer(self.connection, event, state, rule, timer)
                self.timers.clear(timer)

    def _clear_timers(self, event: LoggedEvent, state: ProfileState, index: RuleIndex) -> None:
        for rule in index.by_ended.get(event.name, ()):
            clear_ended(self.timers, rule, state.id, event)

    def _arm_timers(self, event: LoggedEvent, state: ProfileState, index: RuleIndex) -> None:
        for rule in index.by_armed.get(event.name, ()):
            if rule.wait is not None:
                self.timers.arm(make_timer(rule, state.id, self.lane, event, rule.wait))

    def _arm_by_history(self, event: LoggedEvent, state: ProfileState, index: RuleIndex, arrived_at: datetime) -> None:
        """History starts waits as if it had been told in time.

        A silence of all activity that was complete before we heard of it is one too: the scan, which never goes back,
        may be past it.
        """
        waits = [(rule, rule.wait) for rule in index.by_armed.get(event.name, ())]
        if is_past_activity(event, self.registry):
            waits += [(rule, rule.silence) for rule in index.silences]
        for rule, wait in waits:
            if wait is None or (rule.silence is not None and event.active_at + wait > arrived_at):
                continue
            timer = make_timer(rule, state.id, self.lane, event, wait)
            if is_covered(rule, timer.due_at, self.starts):
                self.timers.arm(timer)

    @cached_property
    def starts(self) -> dict[int, datetime]:
        """From when on each rule looks for silences; read when first asked for."""
        return load_starts(self.connection)

    def _match(self, event: LoggedEvent, state: ProfileState, index: RuleIndex) -> None:
        detector = event.context.get("detector") if event.origin == DERIVED else None
        for rule in index.find_started(event.name, detector):
            verdict = rule.compiled.test(event.properties, state.traits, event.occurred_at, {}, event.source_id)
            if verdict is False:
                continue
            if verdict is None and not rule.compiled.needs:
                continue
            candidate = Candidate(
                rule=rule,
                event=event,
                person=state.spans,
                profile_id=state.id,
                traits=state.traits,
                verdict=verdict,
            )
            self.candidates.append(candidate)

    def _settle_unknown(self) -> list[Candidate]:
        """Ask the history for all that only it can tell, once, and decide again."""
        unknown = [candidate for candidate in self.candidates if candidate.verdict is None]
        questions = [self._ask(candidate, need) for candidate in unknown for need in candidate.rule.compiled.needs]
        counts = iter(load_history(self.connection, questions))
        settled = {}
        for candidate in unknown:
            history = {need: next(counts) for need in candidate.rule.compiled.needs}
            verdict = candidate.rule.compiled.test(
                candidate.event.properties,
                candidate.traits,
                candidate.event.occurred_at,
                history,
                candidate.event.source_id,
            )
            settled[id(candidate)] = msgspec.structs.replace(candidate, verdict=verdict)
        return [settled.get(id(candidate), candidate) for candidate in self.candidates]

    def _ask(self, candidate: Candidate, need: HistoryNeed) -> Question:
        return Question(
            person=candidate.person,
            need=need,
            seq=candidate.event.seq,
            now=candidate.event.occurred_at,
            slack=self.book.find_slack(need.event),
            reach=self.registry.reach,
        )

    def _activate(self, matched: Sequence[Candidate]) -> tuple[list[NewActivation], list[NewDelivery]]:
        """Apply re-entry in the order of the log, those of this batch included, and plan the messages."""
        reentry = ReentryBook.load(self.connection, matched, self.released)
        admitted = [candidate for candidate in matched if reentry.admit(candidate)]
        histories = self._load_traces(admitted)
        activations = [
            self._describe_activation(candidate, history)
            for candidate, history in zip(admitted, histories, strict=True)
        ]
        deliveries = [
            delivery
            for candidate, activation in zip(admitted, activations, strict=True)
            if (delivery := self._plan(candidate, activation.id)) is not None
        ]
        return activations, deliveries

    def _load_traces(self, admitted: Sequence[Candidate]) -> list[dict[HistoryNeed, int]]:
        """A trace shows every condition's actual value, also of those that were not needed to decide."""
        needs = [(candidate, need) for candidate in admitted for need in candidate.rule.compiled.needs]
        counts = iter(load_history(self.connection, [self._ask(candidate, need) for candidate, need in needs]))
        return [{need: next(counts) for need in candidate.rule.compiled.needs} for candidate in admitted]

    def _describe_activation(self, candidate: Candidate, history: dict[HistoryNeed, int]) -> NewActivation:
        event, rule = candidate.event, candidate.rule
        facts = Facts(
            properties=event.properties,
            traits=candidate.traits,
            now=event.occurred_at,
            history=history,
            source_id=event.source_id,
        )
        activation_id = compute_activation_id(rule.rule_id, event.id)
        return NewActivation(
            id=activation_id,
            lane=self.lane,
            profile_id=candidate.profile_id,
            rule_id=rule.rule_id,
            rule_version_id=rule.version_id,
            event_id=event.id,
            event_seq=event.seq,
            occurred_at=event.occurred_at,
            is_once=rule.is_once,
            released_seq=self.released.get(activation_id),
            trace=explain_rule(rule.definition, facts, Names(sources=self.registry.source_names)),
        )

    def _plan(self, candidate: Candidate, activation_id: UUID) -> NewDelivery | None:
        event = candidate.event
        return plan_delivery(
            activation_id=activation_id,
            lane=self.lane,
            profile_id=candidate.profile_id,
            rule_id=candidate.rule.rule_id,
            event_id=event.id,
            occurred_at=event.occurred_at,
            due_at=event.received_at,
            definition=candidate.rule.definition,
            came_back=bool(event.context.get("came_back")) and event.origin == DERIVED,
        )
