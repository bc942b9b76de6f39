"""From figures to what Chart.js draws."""

import json
from typing import Any

from msgspec import Struct

_COLORS = ("--color-primary-600", "#0d9488", "#d97706", "#7c3aed", "#db2777", "#64748b")
_TICKS = {"color": "#757f91"}
# Characters: a canvas breaks no line, and cuts off both ends of a longer name in a legend, the beginning of one beside
# a bar. That has half of the width, and a telephone's is narrow.
_LEGEND = 30
_BESIDE = 22


class Chart(Struct, frozen=True, kw_only=True):
    """A chart with the same numbers as a table, for those who do not see it."""

    title: str
    note: str
    says: str
    kind: str
    data: str
    options: str
    headings: list[str]
    rows: list[list[Any]]
    empty: str


def make_chart(
    title: str, figures: dict[str, Any], *, note: str, says: str, empty: str, is_flat: bool = False
) -> Chart:
    """Return stacked bars of one or more series; `is_flat` lays them on their side."""
    series, labels = figures["series"], figures["labels"]
    datasets = [
        {
            "label": _cut(name, _LEGEND),
            "data": values,
            "backgroundColor": f"var({color})" if color.startswith("--") else color,
            "borderRadius": 2,
            "maxBarThickness": 22,
        }
        for (name, values), color in zip(series.items(), _COLORS * 2, strict=False)
    ]
    return Chart(
        title=title,
        note=note,
        says=says,
        kind="bar",
        data=json.dumps(
            {"labels": [_cut(one, _BESIDE) for one in labels] if is_flat else labels, "datasets": datasets}
        ),
        options=json.dumps(_make_options(is_flat=is_flat, has_legend=len(series) > 1)),
        headings=["", *series],
        rows=[[label, *(values[place] for values in series.values())] for place, label in enumerate(labels)],
        empty="" if figures["total"] else empty,
    )


def _cut(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _make_options(*, is_flat: bool, has_legend: bool) -> dict[str, Any]:
    counted = {"stacked": True, "beginAtZero": True, "ticks": _TICKS | {"precision": 0}, "grid": {"drawTicks": False}}
    named = {"stacked": True, "ticks": _TICKS | {"maxTicksLimit": 12, "maxRotation": 0}, "grid": {"display": False}}
    return {
        "animation": False,
        "responsive": True,
        "maintainAspectRatio": False,
        "indexAxis": "y" if is_flat else "x",
        "plugins": {"legend": {"display": has_legend, "position": "bottom", "labels": {"boxWidth": 10} | _TICKS}},
        "scales": {"x": counted, "y": named} if is_flat else {"x": named, "y": counted},
    }
