"""Liquid in a sandbox: a marketer is trusted with words, not with code. Pure.

The library's own limits do not reach a range literal, which is built in full before a loop counts: it is capped here,
at evaluation, for both ways of rendering.
"""

from collections.abc import Iterable
from typing import Any, TextIO

from liquid import Environment, RenderContext
from liquid.builtin.expressions import FilteredExpression
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.builtin.output import Output, OutputNode
from liquid.exceptions import LiquidError, ResourceLimitError
from liquid.stringify import to_liquid_string

from triggers.render.dates import format_date

MAX_RANGE = 5_000
MAX_LENGTH = 200_000
_BANNED_TAGS = ("include", "render", "extends", "block")


class MissingVariable(LiquidError):
    """A variable has no value and no `default`; `name` is the variable as it was written."""

    def __init__(self, name: str) -> None:
        super().__init__(f"missing: {name}", token=None)
        self.name = name


class _StrictOutput(OutputNode):
    """`{{ … }}`: an empty place is an error, unless a `default` says what stands there."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        text = to_liquid_string(self.expression.evaluate(context), context.autoescape)
        if not text.strip() and not _has_default(self.expression) and isinstance(context.env, Sandbox):
            context.env.note_missing(str(self.expression).partition(" |")[0])
        return buffer.write(text)


class _StrictOutputTag(Output):
    node_class = _StrictOutput


class Sandbox(Environment):
    """An environment with limits. With `is_strict` an empty place raises MissingVariable."""

    loop_iteration_limit = 5_000
    output_stream_limit = MAX_LENGTH
    local_namespace_limit = 100_000
    context_depth_limit = 20

    def __init__(self, *, autoescape: bool, is_strict: bool) -> None:
        super().__init__(autoescape=autoescape)
        self.is_strict = is_strict

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        """Take the library's tags and filters, without those that read files."""
        super().setup_tags_and_filters(extra=extra)
        self.add_tag(_StrictOutputTag)
        for name in _BANNED_TAGS:
            self.tags.pop(name, None)
        self.add_filter("date", format_date)

    def note_missing(self, name: str) -> None:
        """An empty place was found."""
        if self.is_strict:
            raise MissingVariable(name)


def _has_default(expression: Any) -> bool:
    filters: Iterable[Any] = expression.filters or () if isinstance(expression, FilteredExpression) else ()
    return any(filter_.name == "default" for filter_ in filters)


def _cap_range(self: RangeLiteral, start: Any, stop: Any) -> range:
    made = _make_range(self, start, stop)
    if len(made) > MAX_RANGE:
        raise ResourceLimitError(f"a range may hold at most {MAX_RANGE} numbers", token=self.token)
    return made


_make_range = RangeLiteral._make_range
RangeLiteral._make_range = _cap_range  # type: ignore[method-assign]
