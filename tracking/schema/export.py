"""All approved schemas as one JSON Schema of an event, for whoever checks before sending. Pure."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def write_json_schema(schemas: Mapping[str, dict[str, Any] | None]) -> dict[str, Any]:
    """Return the schema of an event as `/v1/events` takes it.

    Each approved schema stands under `$defs` by its event's name, whole and with an id of its own, so that its
    references stay inside it. An event of another name, or of a type without a schema, fits as it is.
    """
    approved = {name: schema for name, schema in schemas.items() if schema is not None}
    whole: dict[str, Any] = {
        "$schema": _DRAFT,
        "title": "An event of this installation",
        "type": "object",
        "required": ["event"],
        "properties": {
            "event": {"type": "string", "examples": list(schemas)},
            "properties": {"type": "object", "default": {}},
        },
        "$defs": {name: {"$id": write_id(name)} | _drop_draft(schema) for name, schema in approved.items()},
    }
    # JSON Schema forbids an empty list there, and strict validators refuse the whole for it.
    return whole | ({"allOf": [_bind(name) for name in approved]} if approved else {})


def write_id(name: str) -> str:
    """Return the id under which an event's schema is found in the whole."""
    return f"urn:event:{quote(name, safe='')}"


def _bind(name: str) -> dict[str, Any]:
    """Where an event has this name, its properties fit this schema."""
    named = {"properties": {"event": {"const": name}}, "required": ["event"]}
    return {"if": named, "then": {"properties": {"properties": {"$ref": write_id(name)}}}}


def _drop_draft(schema: dict[str, Any]) -> dict[str, Any]:
    return {word: value for word, value in schema.items() if word != "$schema"}
