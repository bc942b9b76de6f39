"""A payload as indented JSON, line by line, with the place marked that has to be mended."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from tracking.schema.paths import read_path

MAX_LINES = 2_000
MAX_DEPTH = 64
"""What is nested deeper is said to be there and not shown: nobody reads it, and each level takes of the stack."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of JSON, and whether it belongs to the marked place."""

    text: str
    is_marked: bool


def mark_field(text: str, field: str) -> SafeString:
    """Return JSON as HTML with the value at `field` marked; a missing one is shown as a line of its own.

    What is no JSON, or has no such place, stays as it is.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return format_html("<pre>{}</pre>", text)
    lines = list_lines(value, field)
    shown = format_html_join(
        "", "{}", ((format_html("<mark>{}</mark>\n" if line.is_marked else "{}\n", line.text),) for line in lines)
    )
    return format_html('<pre class="payload" tabindex="0">{}</pre>', shown)


def list_lines(value: Any, field: str) -> list[Line]:
    """Return a value's lines, at most 2,000, and no deeper than 64 levels."""
    steps = tuple(read_path(f".{field}")) if field else ()
    found = []
    for line in _write(value, (), steps, "", ""):
        found.append(line)
        if len(found) >= MAX_LINES:
            break
    return found


def _write(
    value: Any, at: tuple[str | int, ...], steps: tuple[str | int, ...], before: str, after: str
) -> Iterator[Line]:
    indent = "  " * len(at)
    is_marked = bool(steps) and at[: len(steps)] == steps
    children: Sequence[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        children, opening, closing = list(value.items()), "{", "}"
    elif isinstance(value, list):
        children, opening, closing = list(enumerate(value)), "[", "]"
    if children and len(at) >= MAX_DEPTH:
        yield Line(text=f"{indent}{before}… is nested deeper than is shown{after}", is_marked=is_marked)
        return
    missing = _find_missing(value, at, steps)
    if not children and missing is None:
        yield Line(text=f"{indent}{before}{_dump(value)}{after}", is_marked=is_marked)
        return
    yield Line(text=f"{indent}{before}{opening}", is_marked=is_marked)
    for place, (name, child) in enumerate(children):
        label = "" if isinstance(name, int) else f"{_dump(name)}: "
        comma = "," if place < len(children) - 1 else ""
        yield from _write(child, (*at, name), steps, label, comma)
    if missing is not None:
        yield Line(text=f"{indent}  {_dump(missing)}: … is missing", is_marked=True)
    yield Line(text=f"{indent}{closing}{after}", is_marked=is_marked)


def _dump(value: Any) -> str:
    """Return JSON; half a surrogate pair, which no page can hold, as a question mark."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()


def _find_missing(value: Any, at: tuple[str | int, ...], steps: tuple[str | int, ...]) -> str | None:
    """Return the next name on the way to the marked place where this object is the last part that is there."""
    if not isinstance(value, dict) or len(steps) <= len(at) or steps[: len(at)] != at:
        return None
    name = steps[len(at)]
    return name if isinstance(name, str) and name not in value else None
