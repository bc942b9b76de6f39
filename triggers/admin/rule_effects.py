"""What a step would do, counted before it is taken. Every count is bounded, however many people there are."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.db.models import QuerySet

from tracking.models import Profile
from triggers.models import Delivery, DeliveryState, Detector, Rule
from triggers.rules.definition import Inactivity, RuleDefinition, SessionEnd

MOST = 10_000


class Bounded(msgspec.Struct, frozen=True, kw_only=True):
    """A count up to MOST."""

    number: int

    @property
    def words(self) -> str:
        """The number, or that it is more."""
        return f"more than {MOST:,}" if self.number >= MOST else f"{self.number:,}"


class PastThreshold(msgspec.Struct, frozen=True, kw_only=True):
    """Who has been silent for long enough already, and for how many of them a message would still make sense."""

    people: Bounded
    fresh: Bounded


def count_past(rule: Rule, definition: RuleDefinition, now: datetime | None = None) -> PastThreshold | None:
    """Return who would be included; None for a rule that cannot include anybody.

    Only a silence of all activity can: another wait begins with an event, and only the first activation chooses.
    """
    trigger = definition.trigger
    is_silence = isinstance(trigger, SessionEnd) or (isinstance(trigger, Inactivity) and trigger.event is None)
    if not is_silence or Detector.objects.filter(rule=rule).exists():
        return None
    until = (now or datetime.now(UTC)) - timedelta(seconds=trigger.after)  # type: ignore[union-attr]
    quiet = Profile.objects.filter(seen_at__lte=until, linked_to__isnull=True)
    fresh = quiet.filter(seen_at__gt=until - definition.expires_after)
    return PastThreshold(people=_count(quiet), fresh=_count(fresh))


def count_waiting(rule: Rule) -> Bounded:
    """Return how many messages of a rule have not been handed over."""
    return _count(Delivery.objects.filter(rule_id=rule.pk, state__in=(DeliveryState.PLANNED, DeliveryState.CLAIMED)))


def _count(rows: QuerySet[Any]) -> Bounded:
    return Bounded(number=rows[:MOST].count())
