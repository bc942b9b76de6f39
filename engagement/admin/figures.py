"""The numbers of the dashboard. Each reads a bounded part of a table by an index."""

from bisect import bisect_right
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Sum
from django.utils import timezone

from engagement.lib.ids import compute_boundary
from tracking.models import EventCount, LaneCursor, SetAside, Tick
from triggers.models import Activation, Delivery, DeliveryState, Rule

MINUTES = 60
DAY = timedelta(hours=24)
_TICKS = 7200
_NAMED = 5
_SHOWN_RULES = 8
_EVALUATOR = "evaluator"
_OTHERS = "other"


def load_events_by_minute() -> dict[str, Any]:
    """Return the events received in each of the last minutes, by the most frequent names."""
    last = datetime.now(UTC).replace(second=0, microsecond=0)
    minutes = [last - timedelta(minutes=ago) for ago in range(MINUTES - 1, -1, -1)]
    rows = list(
        EventCount.objects.filter(minute__gte=minutes[0]).values_list("minute", "name").annotate(Sum("received"))
    )
    totals: Counter[str] = Counter()
    for _, name, received in rows:
        totals[name] += received
    named = [name for name, _ in totals.most_common(_NAMED)]
    series = {name: dict.fromkeys(minutes, 0) for name in [*named, *([_OTHERS] if len(totals) > _NAMED else [])]}
    for minute, name, received in rows:
        if minute in series.get(name, series.get(_OTHERS, {})):
            series[name if name in series else _OTHERS][minute] += received
    return {
        "labels": [timezone.localtime(minute).strftime("%H:%M") for minute in minutes],
        "series": {name: list(values.values()) for name, values in series.items()},
        "total": sum(totals.values()),
    }


def load_activations_by_rule() -> dict[str, Any]:
    """Return how often each rule matched in the last 24 hours, the most frequent first."""
    since = compute_boundary(datetime.now(UTC) - DAY)
    names = dict(Rule.objects.values_list("pk", "name"))
    counted = Activation.objects.filter(id__gte=since).values_list("rule_id").annotate(number=Count("id"))
    rows = sorted(counted, key=lambda row: row[1], reverse=True)[:_SHOWN_RULES]
    return {
        "labels": [names.get(rule, f"rule {rule}") for rule, _ in rows],
        "series": {"activations": [number for _, number in rows]},
        "total": sum(number for _, number in rows),
    }


def load_deliveries_by_state() -> dict[str, Any]:
    """Return how many deliveries of the last 24 hours stand in each state."""
    since = compute_boundary(datetime.now(UTC) - DAY)
    counted = dict(Delivery.objects.filter(id__gte=since).values_list("state").annotate(number=Count("id")))
    return {
        "labels": [str(label) for _, label in DeliveryState.choices],
        "series": {"deliveries": [counted.get(state, 0) for state in DeliveryState.values]},
        "total": sum(counted.values()),
    }


def load_lag() -> dict[str, Any]:
    """Return how many seconds each lane of the evaluator is behind the log, and the sequence's last number."""
    ticks = list(Tick.objects.order_by("-at").values_list("seq", "at")[:_TICKS])[::-1]
    positions = dict(LaneCursor.objects.filter(consumer=_EVALUATOR).values_list("lane", "position"))
    behind = [_measure_lag(positions[lane], ticks) for lane in sorted(positions)]
    return {
        "labels": [str(lane) for lane in sorted(positions)],
        "series": {"seconds behind": behind},
        "total": max(behind, default=0),
        "position": min(positions.values(), default=0),
        "sequence": _load_sequence(),
    }


def count_set_aside() -> int:
    """Return how many events were set aside, up to a hundred."""
    return SetAside.objects.filter(decided_again_at__isnull=True)[:100].count()


def _measure_lag(position: int, ticks: list[tuple[int, datetime]]) -> float:
    """A lane is as far behind as the last tick that it has passed is older than the newest one."""
    if not ticks:
        return 0.0
    passed = bisect_right(ticks, position, key=lambda tick: tick[0])
    reached = ticks[max(passed - 1, 0)][1]
    return round((ticks[-1][1] - reached).total_seconds(), 1)


def _load_sequence() -> int:
    with connection.cursor() as cursor:
        cursor.execute("select last_value from event_seq_seq")
        return int(cursor.fetchone()[0])
