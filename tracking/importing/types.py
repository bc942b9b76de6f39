"""What type a column's text has: by option, by the schema in force, or by what apps have sent. Never by its look."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from tracking.models import EventType
from tracking.schema.paths import quote_name
from tracking.schema.properties import list_properties

NAMES = ("number", "boolean", "text")
# As JSON writes numbers: "007" and "+4915…" are none, and what does not fit a double exactly stays as it is.
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?")
_BOOLEANS = {"true": True, "false": False}
_KINDS = {"number": "number", "integer": "number", "boolean": "boolean"}


class NotOfType(ValueError):
    """A text is not of the type that its column was said to have."""


class ColumnTypes:
    """The types of the columns of a file. Those named by option count for every event; the others are looked up."""

    def __init__(self, named: Mapping[str, str], find_known: Callable[[str], Mapping[str, str]]) -> None:
        self.named = named
        self.converted: dict[tuple[str, str], str] = {}
        self.unmet = set(named)
        self._find_known = find_known
        self._known: dict[str, Mapping[str, str]] = {}

    def read(self, event: str, column: str, value: Any) -> Any:
        """Return a value as its column's type has it. Raises NotOfType for text that is not of the type named for it.

        What is only known from elsewhere changes no text that is not of that type.
        """
        if column in self.named:
            self.unmet.discard(column)
        if not isinstance(value, str):
            return value
        if column in self.named:
            return _convert(value, self.named[column])
        kind = self._look_up(event).get(quote_name(column))
        if kind is None:
            return value
        try:
            converted = _convert(value, kind)
        except NotOfType:
            return value
        self.converted[event, column] = kind
        return converted

    def _look_up(self, event: str) -> Mapping[str, str]:
        if event not in self._known:
            self._known[event] = self._find_known(event)
        return self._known[event]


def parse_types(text: str | None) -> dict[str, str]:
    """Return what `price:number,active:boolean` says. Raises ValueError, in words, for anything else."""
    types = {}
    for part in (text or "").split(","):
        column, colon, name = part.strip().rpartition(":")
        if not part.strip():
            continue
        if not colon or not column or name not in NAMES:
            raise ValueError(f"{part.strip()!r} is no type. Write price:number,active:boolean,zip:text.")
        types[column] = name
    return types


def load_known_types(event: str) -> dict[str, str]:
    """Return the columns of an event that are numbers or booleans: by its schema, else by what apps have sent."""
    row = EventType.objects.select_related("in_force").filter(name=event).first()
    if row is None:
        return {}
    kinds = {path: set(seen.get("types", ())) for path, seen in row.properties.items()}
    if row.in_force is not None:
        told = list_properties(json.loads(row.in_force.schema))
        kinds |= {path: set(one.kinds) for path, one in told.items() if one.kinds}
    columns = {path: {_KINDS.get(kind, "text") for kind in found - {"null", "empty"}} for path, found in kinds.items()}
    return {path: one.pop() for path, one in columns.items() if len(one) == 1 and one != {"text"}}


def _convert(value: str, kind: str) -> Any:
    text = value.strip()
    if kind == "number" and _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    if kind == "boolean" and text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    if kind == "text":
        return value
    raise NotOfType(f"{value!r} is no {kind}.")
