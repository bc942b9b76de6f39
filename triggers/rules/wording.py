"""How durations, values, fields and lists are said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from triggers.rules.nodes import Field

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
_MONTH = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The words of an installation: labels of events and fields, names of sources, and how long events are kept.

    Without a label an event stands as its own name in backticks, and a source, which may be gone, as its number.
    `reach` (retention minus lateness) says what "ever" means.
    """

    events: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[int, str] = field(default_factory=dict)
    reach: timedelta | None = None


def describe_duration(seconds: int) -> str:
    """Say a time span in its largest exact units: 5400 is "1 hour 30 minutes"."""
    parts = []
    for unit, size in _UNITS:
        amount, seconds = divmod(seconds, size)
        if amount:
            parts.append(f"{amount} {unit}" if amount == 1 else f"{amount} {unit}s")
    return " ".join(parts) or "0 seconds"


def describe_last(seconds: int) -> str:
    """Say "in the last 7 days", and "in the last hour" rather than "in the last 1 hour"."""
    return f"in the last {describe_duration(seconds).removeprefix('1 ')}"


def describe_reach(reach: timedelta | None) -> str:
    """Say how far "ever" goes back."""
    if reach is None:
        return "as far back as events are kept"
    months = reach.days // _MONTH
    return f"in the last {months} months" if months > 1 else describe_last(int(reach.total_seconds()))


def describe_event(name: str, names: Names) -> str:
    """Say an event's name."""
    return names.events.get(name, f"`{name}`")


def describe_source(source_id: int, names: Names) -> str:
    """Say which source."""
    name = names.sources.get(source_id)
    return f"“{name}”" if name is not None else f"source {source_id}"


def describe_field(field: Field, names: Names) -> str:
    """Say where a value is."""
    label = names.fields.get(field.path)
    if label is not None:
        return label
    owner = "the event's" if field.scope == "event" else "the person's"
    *lists, last = field.path.split("[]")
    if not lists:
        return f"{owner} `{field.path}`"
    items = f"any item of {owner} `{'[]'.join(lists)}`"
    return f"in {items} the `{last.removeprefix('.')}`" if last else items


def describe_value(value: Any) -> str:
    """Say a value of a rule: texts in quotes, numbers plainly, lists joined by commas."""
    if isinstance(value, str):
        return f"“{value}”"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, Sequence):
        return ", ".join(describe_value(item) for item in value)
    return str(value)


def join_clauses(clauses: Sequence[str], word: str) -> str:
    """Join clauses by "and" or "or"."""
    return f", {word} ".join(clauses) if len(clauses) > 2 else f" {word} ".join(clauses)
