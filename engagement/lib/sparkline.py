"""A row of numbers as a small line, for lists."""

from collections.abc import Sequence

from django.utils.html import format_html
from django.utils.safestring import SafeString

_WIDTH, _HEIGHT = 96, 22


def draw_sparkline(values: Sequence[int], says: str) -> SafeString:
    """Return the values as an inline SVG; `says` is read to those who do not see it."""
    greatest = max(values, default=0)
    if not greatest:
        return format_html('<span class="quiet">{}</span>', "none")
    step = _WIDTH / max(len(values) - 1, 1)
    points = " ".join(
        f"{place * step:.1f},{_HEIGHT - 2 - value / greatest * (_HEIGHT - 4):.1f}" for place, value in enumerate(values)
    )
    return format_html(
        '<svg class="sparkline" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">'
        '<polyline points="{}"/></svg>',
        _WIDTH,
        _HEIGHT,
        _WIDTH,
        _HEIGHT,
        says,
        points,
    )
