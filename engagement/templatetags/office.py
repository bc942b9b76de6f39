"""What the admin's own templates need to say."""

import json
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django import template
from django.contrib.admin.models import LogEntry

from engagement.lib.say import mark_moment, mark_names, say_moment, say_span

register = template.Library()


@register.filter
def moment(value: datetime | None) -> str:
    """A moment with the name of its time zone."""
    return say_moment(value)


@register.filter
def short_moment(value: datetime | None) -> str:
    """A moment for a narrow column: on one line, or the date and below it the time."""
    return mark_moment(value)


@register.filter
def names(sentence: str) -> str:
    """A sentence with the names of events and properties as code."""
    return mark_names(sentence)


@register.filter
def span(value: timedelta | float | None) -> str:
    """A time span in words."""
    return say_span(timedelta(seconds=value) if isinstance(value, int | float) else value)


@register.filter
def thousands(value: int) -> str:
    """A number that can be read at a glance."""
    return f"{value:,}"


@register.filter
def as_json(value: Any) -> str:
    """A value as indented JSON, for people."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


@register.filter
def plural(number: int, words: str) -> str:
    """`{{ 2|plural:"person,people" }}` is "2 people"."""
    one, many = words.split(",")
    return f"{number:,} {one if number == 1 else many}"


@register.filter
def as_plain(value: Any) -> str:
    """A JSON value on one line; a text as it is."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


@register.filter
def changes(entry: LogEntry) -> list[list[str]]:
    """What an entry of the history has changed: label, old, new of each field."""
    try:
        told = json.loads(entry.change_message)
    except ValueError:
        return []
    parts = [one.get("changed", {}) for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    return [change for part in parts for change in part.get("values", ())]
