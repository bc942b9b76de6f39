"""Is a condition tree fit to be compiled?"""

from collections.abc import Iterator
from datetime import timedelta

from triggers.rules.check_parts import check_name, check_path, check_span, make_error
from triggers.rules.errors import RuleError, RuleErrorCode
from triggers.rules.nodes import All, AnyOf, Compare, Count, FromSource, Never, Node, Not
from triggers.rules.operators import COUNT_OPERATORS, OPERATORS

MAX_DEPTH = 8
MAX_NODES = 100
LARGEST_ID = (1 << 31) - 1


def check_conditions(node: Node | None, reach: timedelta | None = None) -> list[RuleError]:
    """Return the errors of a condition tree; windows are checked when `reach` says how far back they may go."""
    return [] if node is None else list(_Conditions(reach).check(node, "$.conditions", 1))


class _Conditions:
    """One walk over a tree, counting its nodes."""

    def __init__(self, reach: timedelta | None) -> None:
        self._reach = reach
        self._nodes = 0

    def check(self, node: Node, path: str, depth: int) -> Iterator[RuleError]:
        self._nodes += 1
        if self._nodes == MAX_NODES + 1:
            yield make_error(RuleErrorCode.TOO_LARGE, "$.conditions", f"Use at most {MAX_NODES} conditions in a rule.")
        if depth > MAX_DEPTH:
            yield make_error(RuleErrorCode.TOO_DEEP, path, f"Groups may lie at most {MAX_DEPTH} deep in each other.")
        elif self._nodes <= MAX_NODES:
            yield from self._check_node(node, path, depth)

    def _check_node(self, node: Node, path: str, depth: int) -> Iterator[RuleError]:
        match node:
            case All(of=children) | AnyOf(of=children):
                if not children:
                    message = "This group is empty: add a condition or remove the group."
                    yield make_error(RuleErrorCode.EMPTY_GROUP, f"{path}.of", message)
                for place, child in enumerate(children):
                    yield from self.check(child, f"{path}.of[{place}]", depth + 1)
            case Not(of=child):
                yield from self.check(child, f"{path}.of", depth + 1)
            case Compare():
                yield from _check_compare(node, path)
            case Count():
                yield from check_name(node.event, f"{path}.event")
                yield from self._check_window(node.within, path)
                yield from _check_count(node, path)
            case Never():
                yield from check_name(node.event, f"{path}.event")
                yield from self._check_window(node.within, path)
            case FromSource(source=source):
                if not 0 < source <= LARGEST_ID:
                    yield make_error(RuleErrorCode.INVALID_VALUE, f"{path}.source", "Choose a source.")

    def _check_window(self, within: int | None, path: str) -> Iterator[RuleError]:
        if within is not None:
            yield from check_span(within, f"{path}.within", self._reach)


def _check_compare(node: Compare, path: str) -> Iterator[RuleError]:
    yield from check_path(node.field.path, f"{path}.field.path")
    message = OPERATORS[node.operator].shape.check(node.value)
    if message:
        yield make_error(RuleErrorCode.INVALID_VALUE, f"{path}.value", message)


def _check_count(node: Count, path: str) -> Iterator[RuleError]:
    if node.operator not in COUNT_OPERATORS:
        message = "A count is a number: compare it with “is at least”, “is less than” and the like."
        yield make_error(RuleErrorCode.WRONG_OPERATOR, f"{path}.operator", message)
        return
    problem = OPERATORS[node.operator].shape.check(node.value)
    if problem is None and min(node.value if isinstance(node.value, tuple) else (node.value,)) < 0:
        problem = "Nothing can be done fewer than 0 times."
    if problem:
        yield make_error(RuleErrorCode.INVALID_VALUE, f"{path}.value", problem)
