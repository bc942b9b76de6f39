"""What filling in a template may cost, counted instead of timed. Pure.

The library's own limits end loops and output. They do not reach a range literal, which is built in full before a loop
counts, nor a filter that multiplies (`replace`, `join`), nor a comparison, nor work without output. Here every node,
variable, comparison, filter and assignment takes from one budget by the size of what it is given, sized so that the
worst template ends in about a second.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from decimal import InvalidOperation
from typing import Any

from liquid import RenderContext
from liquid.builtin.expressions import logical
from liquid.builtin.expressions.loop import LoopExpression
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.builtin.tags.case_tag import _AnyExpression
from liquid.exceptions import LiquidTypeError, ResourceLimitError
from liquid.token import Token
from liquid.undefined import is_undefined

MAX_WORK = 2_000_000
MAX_RANGE = 1_000
MAX_NUMBER_BITS = 2_048
_STEP = 5
_CONSTANT = ("size", "first", "last", "default")
"""Filters that look at no more than one item, whatever they are given."""
_MARKUP_SHARE = 128


class BoundedContext(RenderContext):
    """A render's variables, and what it has cost so far."""

    __slots__ = ("_work",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._work = 0
        super().__init__(*args, **kwargs)

    def spend(self, work: int) -> None:
        """Take from the budget. Raises ResourceLimitError when it is used up."""
        self._work += work
        if self._work > MAX_WORK:
            raise ResourceLimitError("it takes too long to fill in", token=None)

    @property
    def disabled_tags(self) -> list[str]:
        """No tag. Every node asks this before it renders, which makes it the place to count them."""
        self.spend(_STEP)
        return []

    @disabled_tags.setter
    def disabled_tags(self, value: list[str]) -> None:
        """Tags are banned from the environment, not from a context."""

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        """Return a filter that is paid for: what it is given and, before it is built, what it would return."""
        function = super().filter(name, token)

        def apply(left: object, *args: object, **kwargs: object) -> object:
            _refuse_groups(name, left, is_text=name in getattr(self.env, "text_filters", ()))
            if name in _CONSTANT:
                self.spend(_STEP)
                return function(left, *args, **kwargs)
            self.spend(_STEP + _estimate(name, left, (*args, *kwargs.values())))
            if name in getattr(self.env, "number_filters", ()):
                return self._calculate(name, function, left, args, token)
            result = function(_drop_nothing(left) if name == "join" else left, *args, **kwargs)
            self.spend(measure(result))
            return result

        return apply

    def _calculate(
        self, name: str, function: Callable[..., object], left: object, args: tuple[object, ...], token: Token | None
    ) -> object:
        """Return the result of a sum; one that is no number, or is made from none, has no value."""
        try:
            result = None if any(map(is_infinite, (left, *args))) else function(left, *args)
        except (OverflowError, InvalidOperation):
            result = None
        if result is None or is_infinite(result):
            return self.env.undefined(name, hint="the result is no number", token=token)
        self.spend(measure(result))
        return result

    def assign(self, key: str, val: Any) -> None:
        """Keep a value under a name."""
        self.spend(measure(val))
        self.locals[key] = val

    def get(self, path: list[object], **named: Any) -> object:
        """Return a variable's value, or one inside it; what is no finite number is no value."""
        self.spend(len(path))
        value = super().get(path, **named)
        if isinstance(value, float) and not math.isfinite(value):
            return self.env.undefined(str(path[0]), hint="it is no number", token=named.get("token"))
        return value

    def ifchanged(self, val: str) -> bool:
        """Say whether a text differs from the last one, which `ifchanged` writes and throws away."""
        self.spend(len(val))
        return super().ifchanged(val)

    def raise_for_loop_limit(self, length: int = 1) -> None:
        """Pay for the rounds of a loop, within the library's limit for nested ones."""
        self.spend(length * _STEP)
        super().raise_for_loop_limit(length)

    def get_item(self, obj: Any, key: Any) -> Any:
        """Return an item. `user.first` is the attribute of that name, never the first of all attributes."""
        return obj[key] if isinstance(obj, Mapping) and isinstance(key, str) else super().get_item(obj, key)


def measure(value: object) -> int:
    """Return the size of a value: characters, or items with theirs, in as many levels as there are."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, int):
        if value.bit_length() > MAX_NUMBER_BITS:
            raise ResourceLimitError("a number is too large", token=None)
        return 1
    if isinstance(value, range):
        return len(value)
    size, waiting = 0, [value]
    while waiting and size <= MAX_WORK:
        found = waiting.pop()
        size += len(found) + 1 if isinstance(found, str) else 1
        if isinstance(found, list | tuple):
            waiting.extend(found)
        elif isinstance(found, dict):
            waiting.extend(found.values())
    return size


def is_infinite(value: object) -> bool:
    """Whether a value, or a text that would be read as one, is no finite number: infinity, or "not a number"."""
    if isinstance(value, int) or not isinstance(value, float | str):
        return False
    try:
        return not math.isfinite(float(value))
    except ValueError:
        return False


def is_group(value: object) -> bool:
    """Whether a value has named parts, so that it cannot be shown as a whole."""
    return isinstance(value, Mapping) and not is_undefined(value)


def _refuse_groups(name: str, left: object, *, is_text: bool) -> None:
    is_list = isinstance(left, list | tuple)
    is_refused = (is_text or name == "join") and is_group(left)
    if is_refused or (is_text and is_list) or (name == "join" and _holds_group(left)):
        raise LiquidTypeError(f"{name}: it has several values, name the one that is meant", token=None)


def _holds_group(left: object) -> bool:
    return isinstance(left, list | tuple) and any(is_group(item) for item in left)


def _drop_nothing(left: object) -> object:
    """Return a list without its empty places, which would show as two commas, or as None."""
    return [item for item in left if item is not None and str(item)] if isinstance(left, list | tuple) else left


def _estimate(name: str, left: object, args: tuple[object, ...]) -> int:
    """Return what a filter will read and, where it multiplies, write."""
    size = measure(left) + sum(measure(argument) for argument in args)
    if isinstance(left, list | tuple) and name != "concat":
        # What is no text may be made one, or compared, for each item.
        size += _count_flat(left) * sum(measure(one) for one in args if isinstance(one, list | tuple | dict | range))
    if name == "replace" and args:
        text, old, new = str(left), str(args[0]), str(args[1]) if len(args) > 1 else ""
        return size + (text.count(old) if old else len(text) + 1) * len(new)
    if name == "strip_html":
        # Its parser looks for the end of what a bracket begins, for some up to the end of the text.
        text = str(left)
        return size + text.count("<") * len(text) // _MARKUP_SHARE
    if name == "join":
        return size + _count_flat(left) * len(str(args[0]) if args else " ")
    if name == "uniq":
        # Each item is compared with each, in as many values as it has.
        items, values = _count_flat(left), _count_values(left)
        return size + items * values // 4
    return size


def _count_flat(left: object) -> int:
    """Return how many items there are once the lists in a list were replaced by what they hold."""
    if isinstance(left, list | tuple):
        return sum(map(_count_flat, left))
    return len(left) if isinstance(left, range) else 1


def _count_values(value: object) -> int:
    if isinstance(value, list | tuple | dict):
        children = value.values() if isinstance(value, dict) else value
        return 1 + sum(map(_count_values, children))
    return len(value) if isinstance(value, range) else 1


class _Known:
    """An operand that was evaluated already."""

    def __init__(self, value: object) -> None:
        self.value = value

    def evaluate(self, _: RenderContext) -> object:
        """Return the value."""
        return self.value


def _weigh_comparison(*operands: object) -> int:
    """Return the work of a comparison: some characters are compared in the time of one step."""
    return 1 + sum(len(one) // 4 if isinstance(one, str) else measure(one) for one in operands)


def _pay_comparison(kind: Any) -> None:
    """Make a comparison pay for its operands."""
    compare = kind.evaluate

    def evaluate(self: Any, context: BoundedContext) -> object:
        left, right = self.left.evaluate(context), self.right.evaluate(context)
        context.spend(_weigh_comparison(left, right))
        return compare(kind(self.token, _Known(left), _Known(right)), context)

    kind.evaluate = evaluate


def _pay_step(kind: Any) -> None:
    """Make an `and`, `or` or `not` pay for itself: what stands on its right may never be asked."""
    decide = kind.evaluate

    def evaluate(self: Any, context: BoundedContext) -> object:
        context.spend(1)
        return decide(self, context)

    kind.evaluate = evaluate


_WHEN = 4
"""The work of a `when` beside its comparison."""


def _pay_case(self: _AnyExpression, context: BoundedContext) -> list[bool]:
    """Compare what a `case` is about with each value of a `when`, and pay for each."""
    left = self.left.evaluate(context)
    known: list[Any] = []
    for expression in self.expressions:
        right = expression.evaluate(context)
        context.spend(_WHEN + _weigh_comparison(left, right))
        known.append(_Known(right))
    given: Any = _Known(left)
    return _compare_case(_AnyExpression(self.token, given, known), context)


def _pay_loop(self: LoopExpression, obj: object, context: BoundedContext) -> tuple[Iterator[Any], int]:
    """Pay for all that is looped over: what `offset` leaves out is passed by, too, and `reversed` copies it."""
    made, length = _iterate(self, obj, context)
    context.spend(len(obj) if isinstance(obj, str) else length)
    return made, length


def _cap_range(self: RangeLiteral, start: Any, stop: Any) -> range:
    made = _make_range(self, start, stop)
    if made.stop - made.start > MAX_RANGE:
        raise ResourceLimitError(f"a range may hold at most {MAX_RANGE} numbers", token=self.token)
    return made


# Both ways of evaluating a range literal, the asynchronous one too, build it here.
_make_range = RangeLiteral._make_range
RangeLiteral._make_range = _cap_range  # type: ignore[method-assign]

_COMPARISONS: tuple[Any, ...] = (
    *(logical.EqExpression, logical.NeExpression, logical.ContainsExpression),
    *(logical.LtExpression, logical.LeExpression, logical.GtExpression, logical.GeExpression),
)
_DECISIONS: Any = (logical.LogicalAndExpression, logical.LogicalOrExpression, logical.LogicalNotExpression)
for _kind in _COMPARISONS:
    _pay_comparison(_kind)
for _kind in _DECISIONS:
    _pay_step(_kind)
_compare_case = _AnyExpression.evaluate
_AnyExpression.evaluate = _pay_case  # type: ignore[method-assign,assignment]
_iterate = LoopExpression._to_iter
LoopExpression._to_iter = _pay_loop  # type: ignore[method-assign,assignment]
