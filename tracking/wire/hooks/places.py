"""Where a mapping finds a value: a JSONPath of the payload (RFC 9535), a header of the request, or a fixed text. Pure.

A path is compiled once. What could cost more than one look at each value of the payload for each part of a path is
refused when it is compiled: several selectors in one bracket, `..` twice or within a filter, and regular expressions.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

import msgspec
from jsonpath import JSONPath, JSONPathEnvironment, JSONPathError
from jsonpath.segments import JSONPathRecursiveDescentSegment
from jsonpath.selectors import Filter, IndexSelector, NameSelector

MAX_PATH = 300
MAX_SEGMENTS = 16
MAX_FOUND = 1_000
"""Values that one path gives at most; what follows is not looked at."""

HEADER = "header:"
_SHOWN = 60


class PlaceError(Exception):
    """A place cannot be read or be looked up; the message is a plain sentence for whoever wrote it."""


class FixedText(msgspec.Struct, frozen=True):
    """The same text for every payload."""

    text: str


class HeaderPlace(msgspec.Struct, frozen=True):
    """A header of the request, by its lower-case name."""

    name: str


class PathPlace(msgspec.Struct, frozen=True):
    """A path. `steps` are its names and indexes where it leads to one value at most; `query` finds several.

    `weight` is how often it looks at a value: 0 where it only follows its steps.
    """

    text: str
    steps: tuple[str | int, ...] | None
    query: JSONPath
    weight: int

    @property
    def searches(self) -> bool:
        """Whether it has to look at more than the values on its way."""
        return self.steps is None


Place = FixedText | HeaderPlace | PathPlace


class _Environment(JSONPathEnvironment):
    """RFC 9535 without its functions: two of them run regular expressions, whose time nobody can bound."""

    def setup_function_extensions(self) -> None:
        """Know no function."""


# Without its cache of conditions: paths are shared by threads and payloads.
_environment = _Environment(strict=True, filter_caching=False)


def parse_place(text: str, *, allows_text: bool = False) -> Place:
    """Return the place that a text names; raises PlaceError."""
    text = text.strip()
    if text.startswith("$"):
        return parse_path(text)
    if text.lower().startswith(HEADER):
        name = text[len(HEADER) :].strip().lower()
        if not name or not name.replace("-", "").isalnum() or not name.isascii():
            raise PlaceError("After “header:” comes a header's name, such as header:X-GitHub-Event.")
        return HeaderPlace(name)
    if allows_text:
        return FixedText(text)
    raise PlaceError("A place begins with $, such as $.customer.id, or with header:, such as header:X-GitHub-Event.")


@lru_cache(maxsize=4_096)
def parse_path(text: str) -> PathPlace:
    """Return a compiled path; raises PlaceError where it is no JSONPath or could take too long."""
    if len(text) > MAX_PATH:
        raise PlaceError(f"A path has at most {MAX_PATH} characters.")
    try:
        query = _environment.compile(text)
    except (JSONPathError, RecursionError, ValueError, OverflowError) as error:
        raise PlaceError(_say(error, text)) from None
    if not isinstance(query, JSONPath):
        raise PlaceError("One path only: | and & are no part of it.")
    _check_cost(query, text)
    steps = _find_steps(query)
    return PathPlace(text, steps, query, _weigh(query) if steps is None else 0)


def find_all(place: PathPlace, payload: Any) -> list[Any]:
    """Return the values at a path, in order, MAX_FOUND at most; raises PlaceError where the payload is too deep."""
    if place.steps is not None:
        found = walk(payload, place.steps)
        return [] if found is msgspec.UNSET else [found]
    try:
        return [match.obj for match in islice(place.query.finditer(payload), MAX_FOUND)]
    except RecursionError:
        raise PlaceError("The payload is nested too deep to be searched.") from None
    except JSONPathError as error:
        raise PlaceError(_say(error, place.text)) from None


def find_first(place: Place, payload: Any, headers: Mapping[str, str]) -> Any:
    """Return the first value at a place, UNSET where there is none; raises PlaceError as `find_all`."""
    if isinstance(place, FixedText):
        return place.text
    if isinstance(place, HeaderPlace):
        return headers.get(place.name, msgspec.UNSET)
    found = find_all(place, payload)
    return found[0] if found else msgspec.UNSET


def walk(payload: Any, steps: Sequence[str | int]) -> Any:
    """Follow names and indexes from the root; return UNSET where they lead nowhere."""
    value = payload
    for step in steps:
        if isinstance(step, str):
            if not isinstance(value, dict) or step not in value:
                return msgspec.UNSET
        elif not isinstance(value, list) or not -len(value) <= step < len(value):
            return msgspec.UNSET
        value = value[step]
    return value


def _find_steps(query: JSONPath) -> tuple[str | int, ...] | None:
    steps: list[str | int] = []
    for segment in query.segments:
        selector = segment.selectors[0]
        if isinstance(segment, JSONPathRecursiveDescentSegment):
            return None
        if isinstance(selector, NameSelector):
            steps.append(selector.name)
        elif isinstance(selector, IndexSelector):
            steps.append(selector.index)
        else:
            return None
    return tuple(steps)


def _check_cost(query: JSONPath, text: str) -> None:
    if len(query.segments) > MAX_SEGMENTS:
        raise PlaceError(f"A path has at most {MAX_SEGMENTS} parts.")
    if any(len(segment.selectors) != 1 for segment in query.segments):
        raise PlaceError("One name, number or condition stands in each pair of brackets.")
    searching = [one for one in query.segments if isinstance(one, JSONPathRecursiveDescentSegment)]
    if len(searching) > 1:
        raise PlaceError("A path may search with .. once.")
    filters = _list_filters(query)
    if len(filters) > 1 or any(not _is_plain(one) for one in filters):
        raise PlaceError("A path may have one condition, on values named from @, such as [?@.type=='card'].")


def _list_filters(query: JSONPath) -> list[Filter]:
    return [selector for segment in query.segments for selector in segment.selectors if isinstance(selector, Filter)]


def _weigh(query: JSONPath) -> int:
    """Each value and name in a condition costs about as much as the search itself."""
    return 1 + sum(_count_operands(one.expression) for one in _list_filters(query))


def _count_operands(expression: Any) -> int:
    children = [] if hasattr(expression, "path") else expression.children()
    return sum(map(_count_operands, children)) if children else 1


def _is_plain(condition: Filter) -> bool:
    """Whether a condition looks only at single values of the element itself."""
    return all(_is_single(query) for query in _list_queries(condition.expression))


def _list_queries(expression: Any) -> Iterator[Any]:
    if hasattr(expression, "path"):
        yield expression
    for child in expression.children():
        yield from _list_queries(child)


def _is_single(query: Any) -> bool:
    return _find_steps(query.path) is not None


def _say(error: Exception, text: str) -> str:
    token = getattr(error, "token", None)
    unsaid = "a number in it is too great" if isinstance(error, OverflowError) else "it is nested too deep"
    said = str(getattr(error, "message", "") or unsaid)
    place = f" (at character {token.index + 1})" if token is not None and token.index >= 0 else ""
    return f"“{text[:_SHOWN]}” is no JSONPath: {said}{place}."
