"""Conditions as one SQL expression over a row: true, false or null for unknown, as in Python.

Names, paths and values are parameters. The only text that comes from outside is the caller's own SQL in `SqlRow`:
column expressions written in code, never typed by anyone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from engagement.lib.ids import compute_boundary
from triggers.rules.check_conditions import check_conditions
from triggers.rules.errors import RuleInvalid
from triggers.rules.nodes import All, AnyOf, Compare, Count, FromSource, Never, Node, Not
from triggers.rules.operators import OPERATORS, NullRule, Operator, fill_template
from triggers.rules.paths import Path, parse_path
from triggers.rules.shapes import Constants, SqlConstant

# An event's id carries a time at most this far from its occurred_at.
ID_TOLERANCE = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlRow:
    """Where the expression finds its facts: SQL expressions over the row that it is tested on.

    `now` is one moment for all rows, or an expression such as `e.occurred_at`. `events` names a table or view with
    (profile_id, id, name, occurred_at, seq); with `seq` only events below that position count, with `lane` (an
    expression) only those of the same lane, which the table then has as a column too. `source` is the id of the
    event's source.
    """

    properties: str
    traits: str
    profile_id: str
    now: datetime | str
    events: str = "event"
    seq: str | None = None
    lane: str | None = None
    source: str = "null::integer"


def compile_sql(node: Node | None, row: SqlRow) -> tuple[str, dict[str, object]]:
    """Return a boolean SQL expression and its parameters, in psycopg's named style (`%(p0)s`).

    Raises RuleInvalid when the conditions cannot mean anything.
    """
    errors = check_conditions(node)
    if errors:
        raise RuleInvalid(errors)
    if node is None:
        return "true", {}
    writer = _Writer(row)
    return writer.write(node), writer.parameters


class _Writer:
    """Writes the expression of a tree and gathers its parameters."""

    def __init__(self, row: SqlRow) -> None:
        self.parameters: dict[str, object] = {}
        self._row = row
        self._now = row.now if isinstance(row.now, str) else self._bind(row.now, "timestamptz")
        self._aliases = 0

    def write(self, node: Node) -> str:
        match node:
            case All(of=children):
                return f"({' and '.join(self.write(child) for child in children)})"
            case AnyOf(of=children):
                return f"({' or '.join(self.write(child) for child in children)})"
            case Not(of=child):
                return f"(not {self.write(child)})"
            case Compare():
                return self._write_compare(node)
            case Count():
                operator = OPERATORS[node.operator]
                return self._write_history(node, operator.sql, operator.shape.bind(node.value)[0])
            case Never():
                return self._write_history(node, "{x} = 0", {})
            case FromSource(source=source):
                return f"coalesce({self._row.source} = {self._bind(source, 'integer')}, false)"

    def _write_compare(self, node: Compare) -> str:
        operator = OPERATORS[node.operator]
        names = [self._bind_all(constants) for constants in operator.shape.bind(node.value)]
        data = self._row.properties if node.field.scope == "event" else self._row.traits
        return self._write_path(data, parse_path(node.field.path), operator, names)

    def _write_path(self, value: str, path: Path, operator: Operator, names: list[dict[str, str]]) -> str:
        for place, step in enumerate(path):
            if isinstance(step, str):
                value = f"({value} -> {self._bind(step, 'text')})"
                continue
            item = self._name_alias("item")
            test = self._write_path(item, path[place + 1 :], operator, names)
            return self._write_any_item(value, item, test, operator)
        return self._write_leaf(value, operator, names)

    def _write_any_item(self, value: str, item: str, test: str, operator: Operator) -> str:
        # True when for any item; else null when unknown for some, which bool_or alone would overlook.
        otherwise = "null" if operator.null_rule is NullRule.UNKNOWN else "false"
        items = self._name_alias("list")
        return (
            f"(select case when jsonb_typeof({items}) = 'array' then (select case when bool_or(test) then true"
            f" when bool_or(test is null) then null else false end from (select {test} as test"
            f" from jsonb_array_elements({items}) as each({item})) as tests) else {otherwise} end"
            f" from (select {value} as {items}) as holder)"
        )

    def _write_leaf(self, value: str, operator: Operator, names: list[dict[str, str]]) -> str:
        v, x = self._name_alias("v"), self._name_alias("x")
        test = " and ".join(f"({fill_template(operator.sql, x=x, now=self._now, **each)})" for each in names)
        if operator.kind is None:
            return f"(select {test} from (select {value} as {x}) as holder)"
        return (
            f"(select case when {x} is not null then {test} end"
            f" from (select {operator.kind.sql(v)} as {x} from (select {value} as {v}) as holder) as reading)"
        )

    def _write_history(self, node: Count | Never, template: str, constants: Constants) -> str:
        conditions = [
            f"past.profile_id = {self._row.profile_id}",
            f"past.name = {self._bind(node.event, 'text')}",
            *self._limit_place(),
            *self._limit_window(node.within),
        ]
        counted = f"(select count(*) from {self._row.events} as past where {' and '.join(conditions)})"
        return f"({fill_template(template, x=counted, now=self._now, **self._bind_all(constants))})"

    def _limit_place(self) -> list[str]:
        limits = []
        if self._row.lane is not None:
            limits.append(f"past.lane = {self._row.lane}")
        if self._row.seq is not None:
            limits.append(f"past.seq < {self._row.seq}")
        return limits

    def _limit_window(self, within: int | None) -> list[str]:
        limits = [f"past.occurred_at <= {self._now}"]
        if within is None:
            return limits
        seconds = self._bind(within, "float8")
        limits.append(f"past.occurred_at > {self._now} - make_interval(secs => {seconds})")
        if isinstance(self._row.now, datetime):
            # Ids begin with a time, so the partitions and the index are cut by them.
            least = compute_boundary(self._row.now - timedelta(seconds=within) - ID_TOLERANCE)
            limits.append(f"past.id >= {self._bind(least, 'uuid')}")
        return limits

    def _bind_all(self, constants: Mapping[str, SqlConstant]) -> dict[str, str]:
        return {name: self._bind(constant.value, constant.type) for name, constant in constants.items()}

    def _bind(self, value: object, type_name: str) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"%({name})s::{type_name}"

    def _name_alias(self, stem: str) -> str:
        self._aliases += 1
        return f"{stem}_{self._aliases}"
