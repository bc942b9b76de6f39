"""How often each event comes: the counts by minute and lane, summed by hour, and what the admin asks of them."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from django.db import connection, transaction
from django.db.models import Sum

from tracking.models import CountedUntil, EventHour

HOUR = timedelta(hours=1)
DAY_HOURS = 24
WEEK = timedelta(days=7)
_KEPT = timedelta(days=35)
_AT_FIRST = timedelta(hours=48)
# All that was received before this moment has been counted by the evaluator: those minutes change no more.
_FINAL = """
select max(at) from log_tick where seq <= (select min(position) from lane_cursor where consumer = 'evaluator')
"""
_FORGET = "delete from event_hour where hour >= %s"
_SUM = """
insert into event_hour (name, hour, source_id, received, misfits)
select coalesce(t.name, ''), date_trunc('hour', minute), c.source_id, sum(received), sum(misfits)
  from event_count c left join tracking_eventtype t on t.name = c.name
 where minute >= %s and left(c.name, 1) <> '$'
 group by 1, 2, 3
"""
_SEEN = """
update tracking_eventtype t set last_seen_at = counted.latest
  from (select name, max(minute) as latest from event_count where minute >= %s group by name) counted
 where counted.name = t.name and (t.last_seen_at is null or t.last_seen_at < counted.latest)
"""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """How often an event came: each of the last 24 hours, the last day and week, and the week by source."""

    hours: list[int]
    day: int
    week: int
    misfits: int
    by_source: dict[int, int]


def sum_hours(now: datetime) -> None:
    """Sum the hours that may have changed since the last time. Safe twice; two at once wait for each other."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("lock table event_hour in share row exclusive mode")
        cursor.execute(_FINAL)
        final = cursor.fetchone()[0] or now - _AT_FIRST
        last = CountedUntil.objects.filter(pk=1).values_list("until", flat=True).first() or now - _AT_FIRST
        since = min(last, final).replace(minute=0, second=0, microsecond=0)
        cursor.execute(_FORGET, [since])
        cursor.execute(_SUM, [since])
        cursor.execute(_SEEN, [since])
        CountedUntil.objects.update_or_create(pk=1, defaults={"until": final})
        EventHour.objects.filter(hour__lt=now - _KEPT).delete()


def load_usage(names: Sequence[str], now: datetime) -> dict[str, Usage]:
    """Return how often events of these names came; a name without events has no entry."""
    first = now.replace(minute=0, second=0, microsecond=0) - (DAY_HOURS - 1) * HOUR
    hours: dict[str, list[int]] = defaultdict(lambda: [0] * DAY_HOURS)
    misfits: dict[str, int] = defaultdict(int)
    by_source: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    rows = EventHour.objects.filter(name__in=names, hour__gt=now - WEEK)
    for name, hour, source_id, received, misfit in rows.values_list("name", "hour", "source_id", "received", "misfits"):
        by_source[name][source_id] += received
        if hour >= first:
            hours[name][int((hour - first) / HOUR)] += received
            misfits[name] += misfit
    return {
        name: Usage(
            hours=hours[name],
            day=sum(hours[name]),
            week=sum(sources.values()),
            misfits=misfits[name],
            by_source=dict(sources),
        )
        for name, sources in by_source.items()
    }


def count_others(now: datetime) -> dict[int, int]:
    """Return, for each source, how many events of the last 24 hours have names that are no event types."""
    rows = EventHour.objects.filter(name="", hour__gt=now - DAY_HOURS * HOUR)
    return dict(rows.values_list("source_id").annotate(number=Sum("received")).order_by("-number"))
