"""What filling in a template may cost, counted instead of timed. Pure.

The library's own limits end loops and output. They do not reach a range literal, which is built in full before a loop
counts, nor a filter that multiplies (`replace`, `join`), nor work without output. Here every node, filter and
assignment takes from one budget, sized so that the worst template ends in about a second.
"""

from collections.abc import Callable, Mapping
from typing import Any

from liquid import RenderContext
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.exceptions import LiquidTypeError, ResourceLimitError
from liquid.token import Token
from liquid.undefined import is_undefined

MAX_WORK = 2_000_000
MAX_RANGE = 1_000
MAX_NUMBER_BITS = 2_048
_STEP = 5


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
            self.spend(_STEP + _estimate(name, left, args))
            result = function(_drop_nothing(left) if name == "join" else left, *args, **kwargs)
            self.spend(measure(result))
            return result

        return apply

    def assign(self, key: str, val: Any) -> None:
        """Keep a value under a name."""
        self.spend(measure(val))
        self.locals[key] = val

    def raise_for_loop_limit(self, length: int = 1) -> None:
        """Pay for the rounds of a loop, within the library's limit for nested ones."""
        self.spend(length * _STEP)
        super().raise_for_loop_limit(length)

    def get_item(self, obj: Any, key: Any) -> Any:
        """Return an item. `user.first` is the attribute of that name, never the first of all attributes."""
        return obj[key] if isinstance(obj, Mapping) and isinstance(key, str) else super().get_item(obj, key)


def measure(value: object) -> int:
    """Return the size of a value: characters, or items with theirs."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list | tuple):
        return sum(len(item) + 1 if isinstance(item, str) else 1 for item in value)
    if isinstance(value, int) and value.bit_length() > MAX_NUMBER_BITS:
        raise ResourceLimitError("a number is too large", token=None)
    return len(value) if isinstance(value, range | dict) else 1


def is_group(value: object) -> bool:
    """Whether a value has named parts, so that it cannot be shown as a whole."""
    return isinstance(value, Mapping) and not is_undefined(value)


def _refuse_groups(name: str, left: object, *, is_text: bool) -> None:
    is_list = isinstance(left, list | tuple)
    has_groups = isinstance(left, list | tuple) and any(is_group(item) for item in left)
    if (is_text and (is_list or is_group(left))) or (name == "join" and (has_groups or is_group(left))):
        raise LiquidTypeError(f"{name}: it has several values, name the one that is meant", token=None)


def _drop_nothing(left: object) -> object:
    """Return a list without its empty places, which would show as two commas, or as None."""
    return [item for item in left if item is not None and str(item)] if isinstance(left, list | tuple) else left


def _estimate(name: str, left: object, args: tuple[object, ...]) -> int:
    """Return what a filter will read and, where it multiplies, write."""
    size = measure(left) + sum(measure(argument) for argument in args)
    if name == "replace" and args:
        text, old, new = str(left), str(args[0]), str(args[1]) if len(args) > 1 else ""
        return size + (text.count(old) if old else len(text) + 1) * len(new)
    if isinstance(left, list | tuple | range):
        if name == "join":
            return size + len(left) * len(str(args[0]) if args else " ")
        if name == "uniq":
            return size + len(left) ** 2
    return size


def _cap_range(self: RangeLiteral, start: Any, stop: Any) -> range:
    made = _make_range(self, start, stop)
    if made.stop - made.start > MAX_RANGE:
        raise ResourceLimitError(f"a range may hold at most {MAX_RANGE} numbers", token=self.token)
    return made


# Both ways of evaluating a range literal, the asynchronous one too, build it here.
_make_range = RangeLiteral._make_range
RangeLiteral._make_range = _cap_range  # type: ignore[method-assign]
