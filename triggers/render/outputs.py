"""Where a template says a value: an empty place must not go unnoticed. Pure.

A variable without value may stand in a condition or behind a `default`; anywhere else it would make a message like
"Hi ,", be it alone or hidden in a filter ("Hi " with nothing appended).
"""

import math
from typing import Any, TextIO

from liquid import RenderContext
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.assign_tag import AssignNode, AssignTag
from liquid.builtin.tags.cycle_tag import CycleNode, CycleTag
from liquid.builtin.tags.echo_tag import EchoTag
from liquid.exceptions import LiquidError, LiquidTypeError
from liquid.expression import Expression
from liquid.stringify import to_liquid_string
from liquid.undefined import is_undefined

from triggers.render.limits import BoundedContext, is_group, measure


class MissingVariable(LiquidError):
    """A variable has no value and no `default`; `name` is the variable as it was written."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} has no value", token=None)
        self.name = name


class PlainOutput(OutputNode):
    """`{{ … }}`: says a value, never the parts of a group."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Write the value."""
        return buffer.write(say_value(self.expression, self.expression.evaluate(context), context))


class StrictOutput(OutputNode):
    """`{{ … }}` in a message that may not have empty places."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Write the value. Raises MissingVariable when there is none."""
        value, missing, is_defaulted = evaluate_strictly(self.expression, context)
        text = say_value(self.expression, value, context)
        if missing is None and not text.strip() and not is_defaulted and list(_find_paths(self.expression)):
            missing = str(self.expression).partition(" |")[0]
        if missing is not None:
            raise MissingVariable(missing)
        return buffer.write(text)


class StrictAssign(AssignNode):
    """`{% assign %}`: an empty value may be asked about later; one that a filter covered up could not be any more."""

    def render_to_output(self, context: RenderContext, _: TextIO) -> int:
        """Keep the value. Raises MissingVariable when something without value was made part of another."""
        value, missing, _defaulted = evaluate_strictly(self.expression, context)
        if missing is not None and not is_blank(value) and not _counts(self.expression):
            raise MissingVariable(missing)
        context.assign(self.name, value)
        return 0


class PlainCycle(CycleNode):
    """`{% cycle %}`: all of its values are looked at each time."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Write the next value."""
        for argument in self.args:
            _pay(context, argument.evaluate(context))
        return super().render_to_output(context, buffer)


class StrictCycle(PlainCycle):
    """`{% cycle %}`: none of its values may be empty."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Write the next value."""
        for argument in self.args:
            missing = _name_if_blank(argument, argument.evaluate(context))
            if missing is not None:
                raise MissingVariable(missing)
        return super().render_to_output(context, buffer)


class PlainOutputTag(Output):
    """The tag of PlainOutput."""

    node_class = PlainOutput


class PlainEchoTag(EchoTag):
    """`{% echo %}` is `{{ … }}` by another name."""

    node_class = PlainOutput  # type: ignore[assignment]


class PlainCycleTag(CycleTag):
    """The tag of PlainCycle."""

    node_class = PlainCycle


class StrictOutputTag(Output):
    """The tag of StrictOutput."""

    node_class = StrictOutput


class StrictEchoTag(EchoTag):
    """The same by another name."""

    node_class = StrictOutput  # type: ignore[assignment]


class StrictAssignTag(AssignTag):
    """The tag of StrictAssign."""

    node_class = StrictAssign


class StrictCycleTag(CycleTag):
    """The tag of StrictCycle."""

    node_class = StrictCycle


PLAIN_TAGS = (PlainOutputTag, PlainEchoTag, PlainCycleTag)
STRICT_TAGS = (StrictOutputTag, StrictEchoTag, StrictAssignTag, StrictCycleTag)


def evaluate_strictly(expression: Expression, context: RenderContext) -> tuple[object, str | None, bool]:
    """Return an expression's value, the variable that lacked one and had no default, and whether there is a default."""
    if not isinstance(expression, FilteredExpression):
        return expression.evaluate(context), None, False
    value = expression.left.evaluate(context)
    missing = _name_if_blank(expression.left, value)
    is_defaulted = False
    for step in expression.filters or ():
        arguments = [_name_if_blank(given.value, given.value.evaluate(context)) for given in step.args]
        without = next((name for name in arguments if name is not None), None)
        if step.name == "default":
            missing = without if is_blank(value) else missing
            is_defaulted = True
        else:
            missing = missing or without
        value = step.evaluate(value, context)
        if missing is None and is_undefined(value):
            missing = str(expression.left)
    return value, missing, is_defaulted


def say_value(expression: Expression, value: object, context: RenderContext) -> str:
    """Return a value as text. Raises LiquidTypeError for a group of values, which nobody wants to read."""
    if is_group(value) or (isinstance(value, list | tuple) and any(is_group(item) for item in value)):
        raise LiquidTypeError(f"{expression}: it has several values, name the one that is meant", token=None)
    _pay(context, value)
    if isinstance(value, list | tuple):
        value = [item for item in value if item is not None]
    return "" if _is_no_number(value) else to_liquid_string(value, context.autoescape)


def _pay(context: RenderContext, value: object) -> None:
    """Take the size of a value that is about to be written from the budget."""
    if isinstance(context, BoundedContext):
        context.spend(measure(value))


def is_blank(value: Any) -> bool:
    """Whether a value leaves an empty place."""
    if value is None or is_undefined(value):
        return True
    if isinstance(value, str):
        return not value.strip()
    return isinstance(value, list | tuple | dict | range) and not value


def _is_no_number(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _name_if_blank(expression: Expression, value: object) -> str | None:
    is_missing = _is_no_number(value) or (isinstance(expression, Path) and is_blank(value))
    return str(expression) if is_missing else None


def _find_paths(expression: Expression) -> list[Expression]:
    found = [expression] if isinstance(expression, Path) else []
    return found + [path for child in expression.children() for path in _find_paths(child)]


def _counts(expression: Expression) -> bool:
    """Whether the number of things is asked for: that of nothing is 0."""
    return isinstance(expression, FilteredExpression) and any(step.name == "size" for step in expression.filters or ())
