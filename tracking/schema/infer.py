"""A draft schema from events that were seen. Pure.

A draft accepts every event that it was made from, and can be saved as it is shown. It claims no more than the events
show: a property is required when all of enough events have it, a text is one of few values or of a format when enough
texts say so.
"""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import jsonschema_rs
from genson import SchemaBuilder
from genson.schema.strategies import Number, Object, String

from tracking.schema.compile import MAX_DEPTH, SchemaInvalid, parse_schema

ENOUGH = 20
"""Values from which on something may be concluded from what was not seen."""
MAX_CHOICES = 8
MAX_PROPERTIES = 100
_LONGEST_CHOICE = 40
_INNER = ("properties", "required", "items")
_SEEN_OFTEN = 3
_FORMATS = ("date-time", "date", "uuid", "email", "uri")
_FORMAT_CHECKS = {
    name: jsonschema_rs.Draft202012Validator({"format": name}, validate_formats=True, offline=True) for name in _FORMATS
}


class _Text(String):  # type: ignore[misc]  # the library has no types
    """Texts: their values are counted as long as they are few, and tried against the formats."""

    def __init__(self, node_class: Any) -> None:
        super().__init__(node_class)
        self.counts: Counter[str] = Counter()
        self.formats = set(_FORMATS)
        self.number = 0

    def add_object(self, value: str) -> None:
        """Count a text."""
        self.number += 1
        self.formats = {name for name in self.formats if _has_format(name, value)}
        if len(self.counts) <= MAX_CHOICES:
            self.counts[value] += 1

    def to_schema(self) -> dict[str, Any]:
        """Return the type, with the format or the choices that are certain enough."""
        schema = {"type": "string"}
        fitting = next((name for name in _FORMATS if name in self.formats), None)
        if fitting is not None and self.number >= _SEEN_OFTEN:
            return schema | {"format": fitting}
        return schema | ({"enum": sorted(self.counts)} if self._is_choice() else {})

    def _is_choice(self) -> bool:
        # One value alone is more likely what has been sold so far than all that there is.
        if self.number < ENOUGH or not 2 <= len(self.counts) <= MAX_CHOICES:
            return False
        return all(number >= _SEEN_OFTEN and len(value) <= _LONGEST_CHOICE for value, number in self.counts.items())


class _Amount(Number):  # type: ignore[misc]
    """Numbers: whole ones only when enough of them were; a price of 5 is a price of 4.99 tomorrow."""

    def __init__(self, node_class: Any) -> None:
        super().__init__(node_class)
        self.number = 0

    def add_object(self, value: float) -> None:
        """Count a number."""
        self.number += 1
        super().add_object(value)

    def to_schema(self) -> dict[str, Any]:
        """Return the type."""
        return {"type": self._type if self.number >= ENOUGH else "number"}


class _Thing(Object):  # type: ignore[misc]
    """Objects: required is what all of enough had. Names beyond the bound are left out, and so allowed."""

    def __init__(self, node_class: Any) -> None:
        super().__init__(node_class)
        self.number = 0

    def add_object(self, value: dict[str, Any]) -> None:
        """Learn from an object."""
        self.number += 1
        known = {name: child for name, child in value.items() if name in self._properties}
        room = max(MAX_PROPERTIES - len(self._properties), 0)
        fresh = [name for name in value if name not in known][:room]
        super().add_object(known | {name: value[name] for name in fresh})

    def to_schema(self) -> dict[str, Any]:
        """Return the properties, and which of them are required."""
        schema: dict[str, Any] = super().to_schema()
        if self.number < ENOUGH or not schema.get("required"):
            schema.pop("required", None)
        return schema


class _Builder(SchemaBuilder):  # type: ignore[misc]
    EXTRA_STRATEGIES = (_Text, _Amount, _Thing)


def infer_schema(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a draft that every one of these properties fits, with as many levels as a schema may have."""
    builder = _Builder(schema_uri=None)
    for sample in samples:
        builder.add_object(sample)
    schema: dict[str, Any] = {"type": "object"} | builder.to_schema()
    for levels in range(MAX_DEPTH, 0, -1):
        draft = _cut(schema, levels)
        if _is_taken(draft):
            return draft
    return {"type": "object"}


def _cut(schema: dict[str, Any], levels: int) -> dict[str, Any]:
    """Return a draft without what lies deeper than so many levels."""
    cut = schema if levels else {word: told for word, told in schema.items() if word not in _INNER}
    if "anyOf" in cut:
        cut = cut | {"anyOf": [_cut(child, levels) for child in cut["anyOf"]]}
    if "properties" in cut:
        cut = cut | {"properties": {name: _cut(child, levels - 1) for name, child in cut["properties"].items()}}
    return cut | {"items": _cut(cut["items"], levels - 1)} if "items" in cut else cut


def _is_taken(schema: dict[str, Any]) -> bool:
    """Whether somebody who saves a draft as it is shown is told nothing against it."""
    try:
        parse_schema(json.dumps(schema, indent=2, ensure_ascii=False))
    except SchemaInvalid:
        return False
    return True


def _has_format(name: str, value: str) -> bool:
    try:
        # "a:b" is a URI to the standard, and a key to everybody else.
        return _FORMAT_CHECKS[name].is_valid(value) and (name != "uri" or "://" in value)
    except UnicodeEncodeError:
        return False
