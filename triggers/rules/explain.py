"""Why did a rule match, or not? Every condition with its sentence, its actual value and its outcome.

Unlike the compiled rule this decides every part, also those that no longer matter.
"""

from functools import partial
from typing import Any, Final

import msgspec

from triggers.rules.check_conditions import check_conditions
from triggers.rules.definition import RuleDefinition
from triggers.rules.describe import describe_condition
from triggers.rules.errors import RuleInvalid
from triggers.rules.facts import Facts, HistoryNeed
from triggers.rules.nodes import All, AnyOf, Compare, Count, FromSource, Never, Node, Not
from triggers.rules.operators import OPERATORS, NullRule, Operator, apply_operator
from triggers.rules.paths import Path, parse_path
from triggers.rules.trace import Outcome, Trace, UnknownReason
from triggers.rules.values import holds_for_any, read_step
from triggers.rules.wording import Names, describe_value

# A trace is kept with each activation, so a longer value (in bytes of JSON) is cut.
MAX_ACTUAL: Final = 1000

_OUTCOMES = {True: Outcome.MATCHED, False: Outcome.NOT_MATCHED, None: Outcome.UNKNOWN}
_OPPOSITES = {
    Outcome.MATCHED: Outcome.NOT_MATCHED,
    Outcome.NOT_MATCHED: Outcome.MATCHED,
    Outcome.UNKNOWN: Outcome.UNKNOWN,
}


def explain_rule(definition: RuleDefinition, facts: Facts, names: Names | None = None) -> Trace:
    """Return the trace of a rule's conditions; its outcome is the compiled rule's verdict on the same facts.

    Raises RuleInvalid when the conditions cannot mean anything.
    """
    errors = check_conditions(definition.conditions)
    if errors:
        raise RuleInvalid(errors)
    if definition.conditions is None:
        return Trace(sentence="there are no conditions", outcome=Outcome.MATCHED)
    return _explain(definition.conditions, facts, names or Names())


def _explain(node: Node, facts: Facts, names: Names) -> Trace:
    match node:
        case All(of=children):
            parts = tuple(_explain(child, facts, names) for child in children)
            return _make_group("all of these hold", _combine(parts, Outcome.NOT_MATCHED), parts)
        case AnyOf(of=children):
            parts = tuple(_explain(child, facts, names) for child in children)
            return _make_group("at least one of these holds", _combine(parts, Outcome.MATCHED), parts)
        case Not(of=child):
            part = _explain(child, facts, names)
            return _make_group("this does not hold", _OPPOSITES[part.outcome], (part,))
        case Compare():
            return _explain_compare(node, facts, names)
        case Count() | Never():
            return _explain_history(node, facts, names)
        case FromSource(source=source):
            return Trace(
                sentence=describe_condition(node, names),
                outcome=_OUTCOMES[facts.source_id == source],
                actual=names.sources.get(facts.source_id or 0, facts.source_id),
            )


def _combine(parts: tuple[Trace, ...], decisive: Outcome) -> Outcome:
    outcomes = {part.outcome for part in parts}
    return next((one for one in (decisive, Outcome.UNKNOWN) if one in outcomes), _OPPOSITES[decisive])


def _make_group(sentence: str, outcome: Outcome, parts: tuple[Trace, ...]) -> Trace:
    if outcome is not Outcome.UNKNOWN:
        return Trace(sentence=sentence, outcome=outcome, of=parts)
    because = "a part that would decide it is unknown"
    return Trace(sentence=sentence, outcome=outcome, reason=UnknownReason.PARTS, because=because, of=parts)


def _explain_compare(node: Compare, facts: Facts, names: Names) -> Trace:
    row, path = OPERATORS[node.operator], parse_path(node.field.path)
    data = dict(facts.properties if node.field.scope == "event" else facts.traits)
    constant = row.shape.prepare(node.value)
    verdict = _decide(data, path, row=row, constant=constant, facts=facts)
    reason, because = (_find_reason(data, path, row) if verdict is None else None) or (None, "")
    return Trace(
        sentence=describe_condition(node, names),
        outcome=_OUTCOMES[verdict],
        actual=_shorten(_read(data, path)),
        reason=reason,
        because=because,
    )


def _explain_history(node: Count | Never, facts: Facts, names: Names) -> Trace:
    sentence = describe_condition(node, names)
    count = facts.history.get(HistoryNeed(node.event, node.within))
    if count is None:
        because = "the person's history was not loaded"
        return Trace(sentence=sentence, outcome=Outcome.UNKNOWN, reason=UnknownReason.PENDING, because=because)
    if isinstance(node, Never):
        verdict: bool | None = count == 0
    else:
        row = OPERATORS[node.operator]
        verdict = apply_operator(row, count, row.shape.prepare(node.value), facts.now)
    return Trace(sentence=sentence, outcome=_OUTCOMES[verdict], actual=count)


def _decide(value: Any, path: Path, *, row: Operator, constant: Any, facts: Facts) -> bool | None:
    for place, step in enumerate(path):
        if not isinstance(step, str):
            test = partial(_decide, path=path[place + 1 :], row=row, constant=constant, facts=facts)
            return holds_for_any(value, test, None if row.null_rule is NullRule.UNKNOWN else False)
        value = read_step(value, step)
    return apply_operator(row, value, constant, facts.now)


def _read(value: Any, path: Path) -> Any:
    """Return what stands at a path: of an "any item of" path the list of what stands in each item."""
    for place, step in enumerate(path):
        if not isinstance(step, str):
            return [_read(item, path[place + 1 :]) for item in value] if type(value) is list else None
        value = read_step(value, step)
    return value


def _find_reason(value: Any, path: Path, row: Operator) -> tuple[UnknownReason, str] | None:
    """Return why a value makes the comparison unknown; None when it does not."""
    for place, step in enumerate(path):
        if not isinstance(step, str):
            return _find_item_reason(value, path[place + 1 :], row)
        value = read_step(value, step)
    if row.kind is None or row.kind.python(value) is not None:
        return None
    if value is None:
        return UnknownReason.MISSING, "there is no value"
    return UnknownReason.WRONG_KIND, f"{_show(value)} is not {row.kind.noun}"


def _find_item_reason(items: Any, path: Path, row: Operator) -> tuple[UnknownReason, str] | None:
    if type(items) is not list:
        return UnknownReason.NO_LIST, "there is no list"
    reasons = (_find_reason(item, path, row) for item in items)
    return next(((reason, f"in an item {because}") for reason, because in filter(None, reasons)), None)


def _show(value: Any) -> str:
    if isinstance(value, dict):
        return "a group of fields"
    if isinstance(value, list):
        return "a list"
    text = describe_value(value)
    return text if len(text) <= 100 else f"{text[:100]}…"


def _shorten(value: Any) -> Any:
    encoded = msgspec.json.encode(value)
    if len(encoded) <= MAX_ACTUAL:
        return value
    return encoded[:MAX_ACTUAL].decode("utf-8", "ignore") + "…"
