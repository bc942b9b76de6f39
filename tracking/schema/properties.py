"""What a schema says of each property, flat: for tables, comparisons and whoever offers names and values. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from tracking.schema.paths import quote_name, read_reference

MAX_LISTED = 500
_DEEPEST = 16
_SAID_ELSEWHERE = frozenset(
    {"type", "properties", "required", "items", "enum", "const", "format", "title", "description", "$ref", "$defs"}
)
_ALTERNATIVES = ("anyOf", "oneOf", "allOf")
_KIND_WORDS = {
    "string": "text",
    "integer": "whole number",
    "boolean": "true or false",
    "array": "list",
    "null": "empty",
}


class Property(msgspec.Struct, frozen=True, kw_only=True):
    """A property at its path (`cart.items[].price`). `limits` are the keywords that are not told otherwise."""

    path: str
    kinds: tuple[str, ...] = ()
    is_required: bool = False
    choices: tuple[Any, ...] = ()
    format: str = ""
    title: str = ""
    description: str = ""
    limits: dict[str, Any] = {}


def name_kinds(kinds: Iterable[str]) -> list[str]:
    """Return types of JSON Schema in the words of the admin. Whole numbers among others are numbers."""
    told = list(kinds)
    return [_KIND_WORDS.get(kind, kind) for kind in told if kind != "integer" or "number" not in told]


def list_properties(schema: dict[str, Any]) -> dict[str, Property]:
    """Return the properties that a checked schema names, by path; at most 500."""
    found: dict[str, Property] = {}
    for path, part, is_required in _walk(schema, schema, "", 0):
        if len(found) >= MAX_LISTED:
            break
        if path and path not in found:
            found[path] = _describe(path, part, is_required)
    return found


def resolve(schema: dict[str, Any], part: Any) -> dict[str, Any]:
    """Return a part of a schema with the place that it refers to read into it."""
    for _ in range(_DEEPEST):
        if not isinstance(part, dict):
            return {}
        reference = part.get("$ref")
        if not isinstance(reference, str):
            return part
        target: Any = schema
        for name in read_reference(reference):
            target = target[int(name)] if isinstance(target, list) else target.get(name, {})
        part = (target if isinstance(target, dict) else {}) | {
            name: value for name, value in part.items() if name != "$ref"
        }
    return {}


def list_types(part: dict[str, Any]) -> tuple[str, ...]:
    """Return the JSON types that a part names."""
    named = part.get("type", ())
    return (named,) if isinstance(named, str) else tuple(named)


def _walk(schema: dict[str, Any], part: Any, path: str, depth: int) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield (path, part, whether it is required) of everything that has a name, the outer before the inner."""
    if depth > _DEEPEST:
        return
    own = resolve(schema, part)
    required = own.get("required", ())
    for name, child in own.get("properties", {}).items():
        inner = f"{path}.{quote_name(name)}" if path else quote_name(name)
        yield inner, resolve(schema, child), name in required
        yield from _walk(schema, child, inner, depth + 1)
    if isinstance(own.get("items"), dict):
        yield f"{path}[]", resolve(schema, own["items"]), False
        yield from _walk(schema, own["items"], f"{path}[]", depth + 1)
    for word in _ALTERNATIVES:
        for child in own.get(word, ()):
            yield from _walk(schema, child, path, depth + 1)


def _describe(path: str, part: dict[str, Any], is_required: bool) -> Property:
    alternatives = [child for word in _ALTERNATIVES for child in part.get(word, ()) if isinstance(child, dict)]
    kinds = dict.fromkeys(kind for one in (part, *alternatives) for kind in list_types(one))
    choices = part.get("enum", [part["const"]] if "const" in part else [])
    return Property(
        path=path,
        kinds=tuple(kinds),
        is_required=is_required,
        choices=tuple(choices),
        format=str(part.get("format", "")),
        title=str(part.get("title", "")),
        description=str(part.get("description", "")),
        limits={word: value for word, value in part.items() if word not in _SAID_ELSEWHERE},
    )
