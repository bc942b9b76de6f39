"""From schemas to a TypeScript file for the app's developers. Pure.

What TypeScript cannot say (a format, a least value) stands in a comment. A type never allows less than its schema.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from tracking.schema.properties import list_types, resolve

_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_WORDS = re.compile(r"[^A-Za-z0-9]+")
_TYPES = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean", "null": "null"}
_SAID_IN_COMMENTS = (
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
)
_HEAD = """// The events of this installation. Made from the approved schemas; do not edit.

"""
# What this file says itself, TypeScript's own list among it: an event of that name would stand in its place.
_OWN_NAMES = ("Events", "EventName", "Track", "Array")
_ANY = "{ [name: string]: unknown }"


def write_typescript(schemas: Mapping[str, dict[str, Any] | None]) -> str:
    """Return `events.d.ts` for event names and their schemas; None where none is approved."""
    names = _choose_type_names(list(schemas))
    blocks = [_write_type(name, names[name], schema) for name, schema in schemas.items()]
    lines = [f"  {_quote(name)}: {names[name]};" for name in schemas]
    table = "export interface Events {\n" + "".join(f"{line}\n" for line in lines) + "}\n"
    helper = "export type EventName = keyof Events;\n"
    track = "export type Track = <Name extends EventName>(event: Name, properties: Events[Name]) => void;\n"
    return _HEAD + "\n".join([*blocks, table, helper, track])


def _choose_type_names(names: list[str]) -> dict[str, str]:
    """Return a TypeScript name of its own for each event name."""
    chosen: dict[str, str] = {}
    taken = set(_OWN_NAMES)
    for name in names:
        words = [word for word in _WORDS.split(name) if word]
        stem = "".join(word[:1].upper() + word[1:] for word in words) or "Event"
        stem = f"Event{stem}" if stem[0].isdecimal() else stem
        candidate, number = stem, 2
        while candidate in taken:
            candidate, number = f"{stem}{number}", number + 1
        taken.add(candidate)
        chosen[name] = candidate
    return chosen


def _write_type(name: str, type_name: str, schema: dict[str, Any] | None) -> str:
    if schema is None:
        return _comment(f"{name}: no schema is approved yet.", "") + f"export type {type_name} = {_ANY};\n"
    told = [str(schema.get("description") or schema.get("title") or name)]
    body = _write_part(schema, schema, 0)
    return _comment(" ".join(told), "") + f"export type {type_name} = {body};\n"


def _write_part(schema: dict[str, Any], part: Any, depth: int) -> str:
    if part is False:
        return "never"
    own = resolve(schema, part)
    if not own:
        return "unknown"
    if "const" in own:
        return _write_literal(own["const"])
    if "enum" in own:
        return _unite([_write_literal(value) for value in own["enum"]])
    for word in ("anyOf", "oneOf"):
        if isinstance(own.get(word), list) and not own.get("properties"):
            return _unite([_write_part(schema, child, depth) for child in own[word]])
    types = list_types(own) or (("object",) if "properties" in own else ("array",) if "items" in own else ())
    return _unite([_write_kind(schema, own, kind, depth) for kind in types]) if types else "unknown"


def _write_kind(schema: dict[str, Any], part: dict[str, Any], kind: str, depth: int) -> str:
    if kind == "array":
        # The first items may be of other kinds than the rest.
        items = True if "prefixItems" in part else part.get("items", True)
        return f"Array<{_write_part(schema, items, depth)}>"
    return _write_object(schema, part, depth) if kind == "object" else _TYPES.get(kind, "unknown")


def _write_object(schema: dict[str, Any], part: dict[str, Any], depth: int) -> str:
    indent = "  " * (depth + 1)
    required = part.get("required", ())
    lines = []
    properties = dict(part.get("properties", {})) | {
        name: True for name in required if name not in part.get("properties", {})
    }
    for name, child in properties.items():
        mark = "" if name in required else "?"
        own = resolve(schema, child)
        words = [str(own.get("description") or own.get("title") or "")]
        words += [f"{word}: {json.dumps(own[word])}" for word in _SAID_IN_COMMENTS if word in own]
        lines.append(_comment(" ".join(word for word in words if word), indent))
        lines.append(f"{indent}{_quote(name)}{mark}: {_write_part(schema, child, depth + 1)};\n")
    if part.get("additionalProperties") is not False or part.get("patternProperties"):
        lines.append(f"{indent}[name: string]: unknown;\n")
    return "{\n" + "".join(lines) + "  " * depth + "}"


def _unite(types: list[str]) -> str:
    return " | ".join(dict.fromkeys(types)) or "never"


def _write_literal(value: Any) -> str:
    return "unknown" if isinstance(value, dict | list) else json.dumps(value)


def _quote(name: str) -> str:
    return name if _NAME.fullmatch(name) else json.dumps(name)


def _comment(words: str, indent: str) -> str:
    """A comment on one line; nothing that was written can end it early."""
    flat = " ".join(words.split()).replace("*/", "*\\/")
    return f"{indent}/** {flat} */\n" if flat else ""
