"""What is to be said of a destination: where it stands, how far it is behind, what was sent, what went wrong."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec
from django.db.models import Sum
from django.utils import timezone
from django.utils.html import format_html

from engagement.lib.charts import Chart, make_chart
from engagement.lib.postgres import open_connection
from engagement.lib.say import say_span
from tracking.log.follow import Lag, load_lag
from triggers.forward.claim import name_consumer
from triggers.models import (
    Chosen,
    CopyCount,
    CopyLease,
    Destination,
    DestinationProgress,
    DestinationState,
    RefusedCopy,
    Rule,
)

BEHIND = timedelta(minutes=1)
FAILING = timedelta(minutes=5)
HOURS = 24
SHOWN_REFUSALS = 20
_TIMEOUT_MS = 5_000


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a destination does. `look` is a badge's class; `has_doubt` where one thing is not taken while the rest is."""

    word: str
    look: str
    has_doubt: bool
    lag: Lag
    sent: int
    refused: int
    progress: DestinationProgress

    @property
    def badge(self) -> str:
        """The word, coloured."""
        return format_html('<span class="badge {}">{}</span>', self.look, self.word)

    @property
    def waiting(self) -> str:
        """How far it is behind, in words."""
        if self.lag.since is None:
            return "nothing"
        number = f"{self.lag.events:,}{'+' if self.lag.is_more else ''}"
        span = say_span(max(datetime.now(UTC) - self.lag.since, timedelta(0)))
        return f"{number} {'event' if self.lag.events == 1 else 'events'}, the oldest for {span}"


def load_standings(destinations: Iterable[Destination]) -> dict[int, Standing]:
    """Return how each destination does; the lag of each costs one look into the log."""
    found = list(destinations)
    keys = [destination.pk for destination in found]
    progresses = DestinationProgress.objects.in_bulk(keys)
    counted = CopyCount.objects.filter(destination__in=keys, hour__gte=_find_start()).values_list("destination_id")
    counts = {key: (sent, refused) for key, sent, refused in counted.annotate(Sum("sent"), Sum("refused"))}
    doubtful = set(
        CopyLease.objects.filter(destination__in=keys, strikes__gt=0).values_list("destination_id", flat=True)
    )
    with open_connection("engagement-admin", timeout_ms=_TIMEOUT_MS) as connection:
        lags = {key: load_lag(connection, name_consumer(key)) for key in keys}
    return {
        one.pk: _judge(
            one,
            progresses.get(one.pk) or DestinationProgress(destination=one),
            lags[one.pk],
            one.pk in doubtful,
            *counts.get(one.pk, (0, 0)),
        )
        for one in found
    }


def _judge(
    destination: Destination, progress: DestinationProgress, lag: Lag, has_doubt: bool, sent: int, refused: int
) -> Standing:
    word, look = "keeps up", "good"
    if destination.state == DestinationState.OFF:
        word, look = "off", ""
    elif destination.state == DestinationState.PAUSED:
        word, look = "paused", "warning"
    elif progress.failures:
        word, look = "failing", "bad"
    elif has_doubt:
        word, look = "holds some", "warning"
    elif lag.since is not None and datetime.now(UTC) - lag.since > BEHIND:
        word, look = "behind", "warning"
    return Standing(word=word, look=look, has_doubt=has_doubt, lag=lag, sent=sent, refused=refused, progress=progress)


def load_failing(now: datetime) -> list[DestinationProgress]:
    """Return how sending goes to those that have not taken anything for some minutes."""
    rows = DestinationProgress.objects.filter(destination__state=DestinationState.ON, failing_since__lt=now - FAILING)
    return list(rows.select_related("destination").order_by("failing_since"))


def say_choice(destination: Destination) -> str:
    """Return what is copied, as a sentence; names in backticks."""
    parts = []
    if destination.events == Chosen.ALL:
        parts.append("all events")
    elif destination.events == Chosen.SOME:
        parts.append(_list_names(destination.event_names))
    if destination.activations == Chosen.ALL:
        parts.append("the activations of all rules")
    elif destination.activations == Chosen.SOME:
        rules = Rule.objects.filter(pk__in=destination.rule_ids).order_by("name").values_list("name", flat=True)
        parts.append(f"the activations of {', '.join(f'“{name}”' for name in rules) or 'rules that are gone'}")
    if destination.traits:
        parts.append(f"of what is known of people {_list_names(destination.traits)}")
    if not parts:
        return "Nothing is copied: choose below what is."
    return f"Copied: {'; '.join(parts)}. Of a person the user id is sent, and nothing else that names them."


def draw_sent(destination: Destination) -> Chart:
    """Return what was sent and refused in each of the last hours."""
    start = _find_start()
    hours = [start + timedelta(hours=number) for number in range(HOURS)]
    rows = {
        hour: (sent, refused)
        for hour, sent, refused in CopyCount.objects.filter(destination=destination, hour__gte=start).values_list(
            "hour", "sent", "refused"
        )
    }
    sent, refused = ([rows.get(hour, (0, 0))[place] for hour in hours] for place in (0, 1))
    series = {"sent": sent} | ({"refused": refused} if any(refused) else {})
    total = sum(sent) + sum(refused)
    labels = [timezone.localtime(hour).strftime("%H:%M") for hour in hours]
    return make_chart(
        "Copies by hour",
        {"labels": labels, "series": series, "total": total},
        note="the last 24 hours",
        says=f"{sum(sent):,} copies were sent and {sum(refused):,} refused in the last 24 hours.",
        empty="Nothing was sent in the last 24 hours.",
    )


def load_refusals(destination: Destination) -> list[RefusedCopy]:
    """Return the latest copies that were refused for good."""
    return list(RefusedCopy.objects.filter(destination=destination).order_by("-refused_at")[:SHOWN_REFUSALS])


def _find_start() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)


def _list_names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
