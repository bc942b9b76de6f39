"""Why a silence started nothing: the rule's conditions asked again, with what was known at that place of the log."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from engagement.demo.person import Person, use_connection
from tracking.models import Event
from tracking.registry import get_registry
from triggers.evaluate.history import Question, load_history
from triggers.rules.compile import compile_rule
from triggers.rules.definition import Always, RuleDefinition
from triggers.rules.explain import explain_rule
from triggers.rules.facts import Facts, HistoryNeed
from triggers.rules.trace import Outcome, Trace
from triggers.rules.wording import Names, join_clauses


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A silence and the rule, by name, that looked for it and did not match."""

    event: Event
    rule_name: str
    definition: RuleDefinition


def explain_refusals(refused: Sequence[Refused], person: Person) -> dict[UUID, str]:
    """Return a sentence for each event, asking the log once for all."""
    asked = [(one, need) for one in refused for need in compile_rule(one.definition).needs]
    counts = load_history(use_connection(), [_ask(one.event, need, person) for one, need in asked])
    histories: dict[UUID, dict[HistoryNeed, int]] = {}
    for (one, need), count in zip(asked, counts, strict=True):
        histories.setdefault(one.event.id, {})[need] = count
    return {one.event.id: _explain(one, person.traits, histories.get(one.event.id, {})) for one in refused}


def _ask(event: Event, need: HistoryNeed, person: Person) -> Question:
    return Question(person=person.spans, need=need, seq=event.seq, now=event.occurred_at, reach=get_registry().reach)


def _explain(refused: Refused, traits: Mapping[str, Any], history: dict[HistoryNeed, int]) -> str:
    event = refused.event
    facts = Facts(
        properties=event.properties,
        traits=dict(traits),
        now=event.occurred_at,
        history=history,
        source_id=event.source_id,
    )
    names = Names(sources=get_registry().source_names)
    lacking = list(_find_lacking(explain_rule(refused.definition, facts, names)))
    if lacking:
        return f"No mail from “{refused.rule_name}”: it asks that {join_clauses(lacking, 'and')}."
    if not isinstance(refused.definition.reentry, Always):
        return f"No mail from “{refused.rule_name}”: it wrote not long ago."
    return ""


def _find_lacking(trace: Trace) -> Iterator[str]:
    if trace.outcome is Outcome.MATCHED:
        return
    if trace.of:
        for part in trace.of:
            yield from _find_lacking(part)
    else:
        yield trace.sentence
