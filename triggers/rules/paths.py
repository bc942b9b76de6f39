"""Paths to a value inside an event's properties or a person's attributes.

    total                  the property `total`
    cart.items             `items` inside `cart`
    cart.items[].sku       any item of the list: its `sku`
    tags[]                 any item of the list itself
    "order.id".value       a name with a dot, a bracket or a quote stands in double quotes; in them \\" and \\\\

Names are taken literally otherwise: spaces count and case matters.
"""

import re
from typing import Final, TypeAlias


class _EachItem:
    """The `[]` of a path."""

    def __repr__(self) -> str:
        return "EACH"


EACH: Final = _EachItem()
Step: TypeAlias = str | _EachItem
Path: TypeAlias = tuple[Step, ...]

MAX_STEPS = 16
_NAME = re.compile(r'"((?:[^"\\]|\\["\\])+)"|([^."\[\]\\]+)')
_ESCAPED = re.compile(r'\\(["\\])')


class PathInvalid(ValueError):
    """A path that cannot be read; the message is a sentence for the person who typed it."""


def parse_path(text: str) -> Path:
    """Return the steps of a path: names and, for `[]`, EACH."""
    steps: list[Step] = []
    position = 0
    while True:
        name = _NAME.match(text, position)
        if name is None:
            raise PathInvalid(_explain_error(text, position))
        steps.append(_ESCAPED.sub(r"\1", name[1]) if name[1] is not None else name[2])
        position = name.end()
        while text.startswith("[]", position):
            steps.append(EACH)
            position += 2
        if position == len(text):
            break
        if text[position] != ".":
            raise PathInvalid(_explain_error(text, position))
        position += 1
    if len(steps) > MAX_STEPS:
        raise PathInvalid(f"A field may lie at most {MAX_STEPS} steps deep.")
    return tuple(steps)


def format_path(path: Path) -> str:
    """Return the text of a path, so that parsing it gives the same path."""
    text = ""
    for step in path:
        if isinstance(step, str):
            text += ("." if text else "") + _quote(step)
        else:
            text += "[]"
    return text


def _quote(name: str) -> str:
    match = _NAME.fullmatch(name)
    if match is not None and match[2] is not None:
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _explain_error(text: str, position: int) -> str:
    if not text:
        return "Choose a field."
    if position >= len(text):
        return f"The field “{text}” ends where a name is missing."
    return (
        f"The field “{text}” cannot be read at character {position + 1}. "
        'Names are joined by dots; a name with a dot, bracket or quote stands in "double quotes".'
    )
