"""Dates in a message, in the zone of the person who reads it. Pure."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from liquid import RenderContext
from liquid.exceptions import FilterArgumentError
from liquid.filter import with_context
from liquid.undefined import is_undefined

ZONE = "time_zone"
"""The variable that holds the zone's name; a template may show it."""

NOW = "now"
TODAY = "today"
"""The variables, and the words, for the moment at which the message is made."""

MAX_PATTERN = 100
_find_zones = lru_cache(maxsize=1)(available_timezones)


@with_context
def format_date(value: Any, pattern: Any = "%Y-%m-%d", *, context: RenderContext) -> str:
    """Return a moment (ISO 8601 text, Unix seconds, a datetime, "now" or "today") by a strftime pattern.

    What is no moment is returned as it is.
    """
    if is_undefined(value) or value is None or value == "":
        return ""
    given = str(pattern)
    if len(given) > MAX_PATTERN:
        raise FilterArgumentError(f"date: a pattern may have at most {MAX_PATTERN} characters", token=None)
    moment = read_date(context.resolve(NOW) if value in (NOW, TODAY) else value)
    if moment is None:
        return str(value)
    return moment.astimezone(find_zone(context.resolve(ZONE))).strftime(given)


def find_zone(name: Any) -> ZoneInfo:
    """Return the zone of this name, UTC where there is none."""
    return ZoneInfo(name) if is_zone(name) else ZoneInfo("UTC")


def is_zone(name: Any) -> bool:
    """Whether there is a zone of this name."""
    return isinstance(name, str) and name in _find_zones()


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
