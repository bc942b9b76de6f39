"""How the admin says moments and spans: a time never without the name of its zone."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.utils import formats, timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def say_moment(moment: datetime | None) -> str:
    """Return a moment in the installation's time zone, "–" for none."""
    return formats.date_format(timezone.localtime(moment), "DATETIME_FORMAT") if moment is not None else "–"


def mark_moment(moment: datetime | None) -> SafeString:
    """Return a moment as HTML for a narrow column: it breaks between the date and the time, and nowhere else."""
    parts = say_moment(moment).partition(", ")
    shown = ((f"{parts[0]}{parts[1].strip()}",), (parts[2],)) if parts[2] else ((parts[0],),)
    return format_html('<span class="moment">{}</span>', format_html_join(" ", "<span>{}</span>", shown))


def say_span(span: timedelta | None) -> str:
    """Return a time span in its two largest units."""
    seconds = int(span.total_seconds()) if span is not None else 0
    parts = []
    for unit, size in _UNITS:
        amount, seconds = divmod(seconds, size)
        if amount:
            parts.append(f"{amount} {unit}{'' if amount == 1 else 's'}")
    return " ".join(parts[:2]) or "0 seconds"


def mark_names(sentence: str) -> SafeString:
    """Return a sentence as HTML: the names of events and properties, which stand in backticks, as code."""
    parts = sentence.split("`")
    marked = (format_html("<code>{}</code>", part) if place % 2 else part for place, part in enumerate(parts))
    return format_html_join("", "{}", ((part,) for part in marked))


def moment_column(name: str, heading: str) -> Callable[[Any], str]:
    """Return a list's column for a moment."""

    @admin.display(description=heading)
    def column(row: Any) -> str:
        return mark_moment(getattr(row, name))

    # The admin tells columns apart by their names.
    column.__name__ = f"say_{name}"
    return column
