"""Dates in a message, in the zone of the person who reads it. Pure."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from liquid import RenderContext
from liquid.filter import with_context
from liquid.undefined import is_undefined

ZONE = "time_zone"
"""The variable that holds the zone's name; a template may show it."""


@with_context
def format_date(value: Any, pattern: str = "%Y-%m-%d", *, context: RenderContext) -> str:
    """Return a moment (ISO 8601 text, Unix seconds, a datetime, "now" as the event's moment) by a strftime pattern.

    What is no moment is returned as it is.
    """
    if is_undefined(value) or value is None or value == "":
        return ""
    moment = read_date(value)
    if moment is None:
        return str(value)
    return moment.astimezone(find_zone(context.resolve(ZONE))).strftime(str(pattern))


def find_zone(name: Any) -> ZoneInfo:
    """Return the zone of this name, UTC where there is none."""
    return ZoneInfo(name) if isinstance(name, str) and name in available_timezones() else ZoneInfo("UTC")


def read_date(value: Any) -> datetime | None:
    """Return the moment that a value means; without a zone it is UTC."""
    try:
        if isinstance(value, datetime):
            moment = value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value, UTC)
        else:
            moment = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
