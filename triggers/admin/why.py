"""Why did a rule match on an event, or not? Asked of the same functions that decide in production.

Rules, attributes, history and re-entry are as of the event's place in the log.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from engagement.lib.postgres import open_connection
from engagement.lib.say import say_moment
from tracking.event import DERIVED, IMPORT, LIVE
from tracking.log.read import LoggedEvent
from tracking.log.write import Connection
from tracking.models import SetAside
from tracking.profiles import ProfileState, load_person, load_traits_at
from tracking.queries import find_events, find_place
from tracking.registry import get_registry
from triggers.detect.coverage import STARTING
from triggers.evaluate.effects import load_previous
from triggers.evaluate.history import Question, load_history
from triggers.evaluate.reentry import ReentryBook
from triggers.models import Activation, Rule
from triggers.rulebook import ActiveRule, RuleBook
from triggers.rules.explain import explain_rule
from triggers.rules.facts import Facts
from triggers.rules.reentry import ReentryReason, check_reentry
from triggers.rules.trace import Outcome, Trace
from triggers.rules.wording import Names

_TIMEOUT_MS = 5_000
_OUTCOMES = {Outcome.NOT_MATCHED: "Its conditions do not hold.", Outcome.UNKNOWN: "One of its conditions is unknown."}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule made of an event. `trace` is there where its conditions were asked at all."""

    rule_id: int
    rule_name: str
    matched: bool
    says: str
    trace: Trace | None = None


def explain_event(profile_id: UUID, event_id: UUID) -> list[Answer]:
    """Return what each rule made of a person's event: first those that it might have started, by name."""
    connection = open_connection("engagement-admin", timeout_ms=_TIMEOUT_MS)
    try:
        event = find_events(connection, [event_id]).get(event_id)
        person = load_person(connection, profile_id)
        if event is None or person is None:
            return []
        book = RuleBook()
        book.refresh(connection)
        asked = _Asked(connection=connection, event=event, person=person, book=book)
        answers = [asked.answer(rule) for rule in Rule.objects.order_by("name")]
    finally:
        connection.close()
    return sorted(answers, key=lambda answer: (not answer.matched, answer.trace is None))


class _Asked:
    """One event of one person, with the rules in force at its place in the log."""

    def __init__(self, *, connection: Connection, event: LoggedEvent, person: ProfileState, book: RuleBook) -> None:
        self.connection = connection
        self.event = event
        self.person = person
        self.book = book
        self.index = index = book.at(event.seq)
        self.ids = [span[0] for span in person.spans]
        place = find_place(connection, event, person.id)
        self.traits = load_traits_at(connection, *place)
        detector = event.context.get("detector") if event.origin == DERIVED else None
        self.finder = self._name_finder(detector.get("rule")) if isinstance(detector, dict) else None
        self.started = {rule.rule_id for rule in index.find_started(event.name, detector)}
        matched = Activation.objects.filter(profile_id__in=self.ids, event_id=event.id)
        self.matched = set(matched.values_list("rule_id", flat=True))
        self.refusal = self._find_refusal()

    def answer(self, rule: Rule) -> Answer:
        active = self.index.rules.get(rule.pk)
        if rule.pk in self.index.broken:
            return self._say(rule, "Its version in force then cannot be read: it starts nothing.")
        if active is None:
            return self._say(rule, "It was not active when this event was logged.")
        if rule.pk not in self.started:
            return self._say(rule, self._say_waiting(active))
        trace = self._trace(active)
        if rule.pk in self.matched:
            return self._say(rule, "It matched.", trace)
        if self.refusal:
            return self._say(rule, self.refusal, trace)
        if trace.outcome is not Outcome.MATCHED:
            return self._say(rule, _OUTCOMES[trace.outcome], trace)
        return self._say(rule, self._say_reentry(active), trace)

    def _say(self, rule: Rule, says: str, trace: Trace | None = None) -> Answer:
        return Answer(rule_id=rule.pk, rule_name=rule.name, matched=rule.pk in self.matched, says=says, trace=trace)

    def _say_waiting(self, rule: ActiveRule) -> str:
        if self.finder is not None and rule.definition.emitted_event == self.event.name:
            return f"This silence was found by {self.finder}: each rule starts on the silences that it finds itself."
        if rule.armed_by == self.event.name:
            return f"This event began or moved its wait; it starts when that becomes “{rule.definition.start_event}”."
        if rule.ended_by == self.event.name:
            return "This event ended its wait: what it waited for has happened."
        return f"It starts on “{rule.definition.start_event}”, not on this event."

    def _find_refusal(self) -> str:
        """Return what kept this event from starting any rule; "" for one that could."""
        event = self.event
        aside = SetAside.objects.filter(event_id=event.id).values_list("reason", flat=True).first()
        if aside:
            return f"Deciding this event failed, so it was set aside: {aside}"
        if event.origin == IMPORT:
            return "Imported history starts no rule."
        if event.origin not in STARTING:
            return "What the platform notes for itself starts no rule."
        lateness = get_registry().find_lateness(event.source_id)
        if event.origin == LIVE and event.received_at - event.occurred_at > lateness:
            return "The event arrived too late to start a rule: its source's lateness says when."
        return ""

    def _name_finder(self, rule_id: Any) -> str:
        """Say which rule found the silence that the event is."""
        name = Rule.objects.filter(pk=rule_id).values_list("name", flat=True).first()
        return f"the rule “{name}”" if name is not None else "a rule that is no more"

    def _trace(self, rule: ActiveRule) -> Trace:
        event, needs = self.event, rule.compiled.needs
        questions = [
            Question(
                person=self.person.spans,
                need=need,
                seq=event.seq,
                now=event.occurred_at,
                slack=self.book.find_slack(need.event),
                reach=get_registry().reach,
            )
            for need in needs
        ]
        history = dict(zip(needs, load_history(self.connection, questions), strict=True))
        facts = Facts(
            properties=event.properties,
            traits=self.traits,
            now=event.occurred_at,
            history=history,
            source_id=event.source_id,
        )
        return explain_rule(rule.definition, facts, Names(sources=get_registry().source_names))

    def _say_reentry(self, rule: ActiveRule) -> str:
        decision = check_reentry(rule.definition.reentry, self._load_previous(rule), self.event.occurred_at)
        if decision.is_allowed:
            return "By what the log says it matches: it is not decided yet, or a source’s settings have changed since."
        when = say_moment(decision.since)
        if decision.reason is ReentryReason.ALREADY_ONCE:
            return f"Its conditions hold, but it matches each person once only and did so {when}."
        return f"Its conditions hold, but it matched this person {when}, and may not again so soon."

    def _load_previous(self, rule: ActiveRule) -> Sequence[datetime]:
        earlier = load_previous(self.connection, self.ids, [rule.rule_id])
        book = ReentryBook(match for match in earlier if match.seq < self.event.seq)
        return book.list_moments(rule.rule_id, self.person.spans, self.event.seq)
