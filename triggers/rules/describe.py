"""A rule as an English sentence, for the person who wrote it."""

from triggers.rules.definition import (
    Abandonment,
    After,
    Always,
    EventTrigger,
    Inactivity,
    Once,
    RuleDefinition,
    SessionEnd,
    Trigger,
)
from triggers.rules.nodes import All, AnyOf, Compare, Count, FromSource, Never, Node, Not, OperatorName
from triggers.rules.operators import OPERATORS, fill_template
from triggers.rules.shapes import DURATION, MOMENT
from triggers.rules.values import read_moment
from triggers.rules.wording import (
    Names,
    describe_duration,
    describe_event,
    describe_field,
    describe_last,
    describe_reach,
    describe_source,
    describe_value,
    join_clauses,
)


def describe_rule(definition: RuleDefinition, names: Names | None = None) -> str:
    """Return the whole rule as one sentence."""
    known = names or Names()
    clauses = [_describe_trigger(definition.trigger, known)]
    match definition.conditions:
        case None:
            pass
        case All(of=children):
            clauses += [_describe(child, known, depth=1) for child in children]
        case node:
            clauses.append(_describe(node, known, depth=1))
    return f"When {', and '.join(clauses)} — {_describe_reentry(definition)}."


def describe_condition(node: Node, names: Names | None = None) -> str:
    """Return a condition as a clause, without a full stop."""
    return _describe(node, names or Names(), depth=0)


def _describe(node: Node, names: Names, *, depth: int) -> str:
    match node:
        case All(of=children):
            return _enclose(
                join_clauses([_describe(child, names, depth=depth + 1) for child in children], "and"), depth
            )
        case AnyOf(of=children):
            return _enclose(join_clauses([_describe(child, names, depth=depth + 1) for child in children], "or"), depth)
        case Not(of=child):
            return f"it is not so that {_describe(child, names, depth=depth + 1)}"
        case Compare():
            return f"{describe_field(node.field, names)} {_describe_comparison(node)}"
        case FromSource(source=source):
            return f"what they did last came from {describe_source(source, names)}"
        case Never(event=event, within=within):
            if within is None and names.reach is None:
                return f"they have never done {describe_event(event, names)}, {describe_reach(None)}"
            return f"they have not done {describe_event(event, names)} {_describe_window(within, names)}"
        case Count():
            return f"they have done {describe_event(node.event, names)} {_describe_count(node, names)}"


def _enclose(text: str, depth: int) -> str:
    return f"({text})" if depth else text


def _describe_comparison(node: Compare) -> str:
    row = OPERATORS[node.operator]
    if row.shape is DURATION and isinstance(node.value, int):
        said = describe_duration(node.value)
    elif row.shape is MOMENT:
        said = _describe_moment(node.value)
    elif node.operator is OperatorName.BETWEEN and isinstance(node.value, tuple):
        said = " and ".join(describe_value(end) for end in node.value)
    else:
        said = describe_value(node.value)
    return fill_template(row.english, c=said)


def _describe_moment(value: object) -> str:
    # The time is always said: "after 2025-03-01" alone leaves open whether that day counts.
    moment = read_moment(value)
    if moment is None:
        return describe_value(value)
    seconds = ":%S" if moment.second or moment.microsecond else ""
    return moment.strftime(f"%Y-%m-%d %H:%M{seconds} %Z")


def _describe_count(node: Count, names: Names) -> str:
    window = _describe_window(node.within, names)
    if isinstance(node.value, tuple):
        return f"{' to '.join(str(end) for end in node.value)} times {window}"
    times = "time" if node.value == 1 else "times"
    return f"{fill_template(_COUNT_PHRASES[node.operator], c=str(node.value))} {times} {window}"


_COUNT_PHRASES = {
    OperatorName.EQ: "exactly {c}",
    OperatorName.NE: "any number but {c}",
    OperatorName.LT: "fewer than {c}",
    OperatorName.LE: "at most {c}",
    OperatorName.GT: "more than {c}",
    OperatorName.GE: "at least {c}",
}


def _describe_window(within: int | None, names: Names) -> str:
    return describe_reach(names.reach) if within is None else describe_last(within)


def _describe_trigger(trigger: Trigger, names: Names) -> str:
    match trigger:
        case EventTrigger(event=event):
            return f"someone does {describe_event(event, names)}"
        case SessionEnd(after=after):
            return f"someone's session ends ({describe_duration(after)} without activity)"
        case Inactivity(after=after, event=None):
            return f"someone has done nothing for {describe_duration(after)}"
        case Inactivity(after=after, event=str(event)):
            return f"someone has not done {describe_event(event, names)} again for {describe_duration(after)}"
        case Abandonment():
            same = f" with the same `{trigger.key}`" if trigger.key else ""
            return (
                f"someone does {describe_event(trigger.started_by, names)} but not "
                f"{describe_event(trigger.ended_by, names)}{same} within {describe_duration(trigger.after)}"
            )
    raise AssertionError(trigger)


def _describe_reentry(definition: RuleDefinition) -> str:
    uncounted = " (a message that could not be sent does not count)" if definition.template is not None else ""
    match definition.reentry:
        case Always():
            return "every time"
        case Once():
            return f"only once for each person{uncounted}"
        case After(seconds=seconds):
            return f"at most once every {describe_duration(seconds).removeprefix('1 ')}{uncounted}"
