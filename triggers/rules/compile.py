"""Conditions become one Python function each: generated code is five times as fast as walking the tree.

The code is made from the typed tree and the operators' own templates. Nothing that a person typed is part of its
text: names, paths and values are bound as constants (`k0`, `k1` …). It sees no builtins.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from triggers.rules.check_conditions import check_conditions
from triggers.rules.definition import RuleDefinition, Trigger
from triggers.rules.errors import RuleInvalid
from triggers.rules.facts import HistoryNeed
from triggers.rules.nodes import All, AnyOf, Compare, Count, FromSource, Never, Node, Not
from triggers.rules.operators import OPERATORS, VOCABULARY, NullRule, Operator, fill_template
from triggers.rules.paths import Path, parse_path
from triggers.rules.values import holds_for_any, read_step

Key = TypeVar("Key", bound=Hashable)


class Test(Protocol):
    """The conditions as a function; `source` is the id of the event's source."""

    def __call__(
        self,
        properties: Mapping[str, Any],
        traits: Mapping[str, Any],
        now: datetime,
        history: Mapping[HistoryNeed, int],
        source: int | None = None,
    ) -> bool | None:
        """Decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRule:
    """A rule ready to be matched.

    `test(properties, traits, now, history, source)` gives True (matched), False (not matched) or None (unknown: never
    sends).
    With an empty history it is None where only the history can tell; `needs` is what to load for that.
    """

    definition: RuleDefinition
    test: Test
    needs: tuple[HistoryNeed, ...]

    @property
    def trigger(self) -> Trigger:
        """What starts the rule."""
        return self.definition.trigger

    @property
    def start_event(self) -> str:
        """The name of the event on which the rule is tested."""
        return self.definition.start_event


def compile_rule(definition: RuleDefinition) -> CompiledRule:
    """Return the rule ready to be matched. Raises RuleInvalid when its conditions cannot mean anything."""
    errors = check_conditions(definition.conditions)
    if errors:
        raise RuleInvalid(errors)
    return CompiledRule(
        definition=definition,
        test=_compile_test(definition.conditions),
        needs=tuple(dict.fromkeys(iterate_needs(definition.conditions))),
    )


def index_rules(rules: Iterable[tuple[Key, CompiledRule]]) -> dict[str, list[tuple[Key, CompiledRule]]]:
    """Sort rules by the event that they are tested on, in the order given."""
    index: dict[str, list[tuple[Key, CompiledRule]]] = {}
    for key, rule in rules:
        index.setdefault(rule.start_event, []).append((key, rule))
    return index


def iterate_needs(node: Node | None) -> Iterator[HistoryNeed]:
    """Yield what a condition asks of the history, doubles included."""
    match node:
        case All(of=children) | AnyOf(of=children):
            for child in children:
                yield from iterate_needs(child)
        case Not(of=child):
            yield from iterate_needs(child)
        case Count(event=event, within=within) | Never(event=event, within=within):
            yield HistoryNeed(event, within)


def _compile_test(node: Node | None) -> Test:
    if node is None:
        return lambda properties, traits, now, history, source=None: True
    writer = _Writer()
    code = f"lambda properties, traits, now, history, source=None: {writer.write(node)}"
    test: Test = eval(code, writer.names)
    return test


class _Writer:
    """Writes the expression of a tree; its value is True, False or None."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {
            "__builtins__": {},
            "read_step": read_step,
            "holds_for_any": holds_for_any,
            **VOCABULARY,
        }
        self._variables = 0

    def write(self, node: Node) -> str:
        match node:
            case All(of=children):
                return self._write_group(children, "False")
            case AnyOf(of=children):
                return self._write_group(children, "True")
            case Not(of=child):
                variable = self._name_variable()
                return f"(None if ({variable} := {self.write(child)}) is None else not {variable})"
            case Compare():
                return self._write_compare(node)
            case Count():
                row = OPERATORS[node.operator]
                return self._write_history(node, row.python, row.shape.prepare(node.value))
            case Never():
                return self._write_history(node, "{x} == 0", None)
            case FromSource(source=source):
                return f"(source == {self._bind(source)})"

    def _write_group(self, children: tuple[Node, ...], decisive: str) -> str:
        # The first decisive child decides; else one unknown makes it unknown; else all agree on the opposite.
        other = "True" if decisive == "False" else "False"
        variables = [self._name_variable() for _ in children]
        tests = "".join(
            f"{decisive} if ({variable} := {self.write(child)}) is {decisive} else "
            for variable, child in zip(variables, children, strict=True)
        )
        unknown = " or ".join(f"{variable} is None" for variable in variables)
        return f"({tests}None if {unknown} else {other})"

    def _write_compare(self, node: Compare) -> str:
        row = OPERATORS[node.operator]
        data = "properties" if node.field.scope == "event" else "traits"
        return self._write_path(data, parse_path(node.field.path), row, row.shape.prepare(node.value))

    def _write_path(self, value: str, path: Path, row: Operator, constant: Any) -> str:
        for place, step in enumerate(path):
            if isinstance(step, str):
                value = self._write_step(value, step)
                continue
            item = self._name_variable()
            test = self._write_path(item, path[place + 1 :], row, constant)
            otherwise = "None" if row.null_rule is NullRule.UNKNOWN else "False"
            return f"holds_for_any({value}, lambda {item}: {test}, {otherwise})"
        return self._write_leaf(value, row, constant)

    def _write_step(self, value: str, name: str) -> str:
        if value in ("properties", "traits"):
            return f"{value}.get({self._bind(name)})"
        return f"read_step({value}, {self._bind(name)})"

    def _write_leaf(self, value: str, row: Operator, constant: Any) -> str:
        constant_name = self._bind(constant)
        if row.kind is None:
            return f"({fill_template(row.python, x=value, c=constant_name, now='now')})"
        variable = self._name_variable()
        test = fill_template(row.python, x=variable, c=constant_name, now="now")
        return f"(None if ({variable} := {self._bind(row.kind.python)}({value})) is None else {test})"

    def _write_history(self, node: Count | Never, template: str, constant: Any) -> str:
        need = self._bind(HistoryNeed(node.event, node.within))
        variable = self._name_variable()
        test = fill_template(template, x=variable, c=self._bind(constant), now="now")
        return f"(None if ({variable} := history.get({need})) is None else {test})"

    def _bind(self, constant: Any) -> str:
        name = f"k{len(self.names)}"
        self.names[name] = constant
        return name

    def _name_variable(self) -> str:
        self._variables += 1
        return f"v{self._variables}"
