"""What a step would do, counted before it is taken. Every count is bounded, however many people there are."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import QuerySet

from engagement.lib.postgres import open_connection
from tracking.event import IMPORT
from tracking.log.read import LoggedEvent, read_named_backwards
from tracking.models import Profile
from tracking.profiles import find_roots
from triggers.lifecycle import begins_search
from triggers.models import Delivery, DeliveryState, Rule
from triggers.rules.definition import Abandonment, EventTrigger, Inactivity, RuleDefinition
from triggers.rules.wait_key import keys_fit, read_wait_key

MOST = 10_000
SECONDS = 2.0
"""How long the log is read for a count."""
PAGE = 10_000
_TIMEOUT_MS = 10_000


class Bounded(msgspec.Struct, frozen=True, kw_only=True):
    """A count up to MOST; `is_partial` where not all was counted."""

    number: int
    is_partial: bool = False

    @property
    def words(self) -> str:
        """The number, or that it is more."""
        if self.number >= MOST:
            return f"more than {MOST:,}"
        return f"at least {self.number:,}" if self.is_partial else f"{self.number:,}"


class PastThreshold(msgspec.Struct, frozen=True, kw_only=True):
    """Who has been silent for long enough already, and for how many of them a message would still make sense."""

    people: Bounded
    fresh: Bounded


def count_past(rule: Rule, definition: RuleDefinition, now: datetime | None = None) -> PastThreshold | None:
    """Return who would be included; None for a rule that cannot include anybody, or goes on with its search."""
    trigger = definition.trigger
    if isinstance(trigger, EventTrigger) or not begins_search(rule, definition):
        return None
    now = now or datetime.now(UTC)
    if isinstance(trigger, Abandonment):
        return _count_waits(trigger, trigger.started_by, trigger.ended_by, definition, now)
    if isinstance(trigger, Inactivity) and trigger.event is not None:
        return _count_waits(trigger, trigger.event, None, definition, now)
    until = now - timedelta(seconds=trigger.after)
    quiet = Profile.objects.filter(seen_at__lte=until, linked_to__isnull=True)
    fresh = quiet.filter(seen_at__gt=until - definition.expires_after)
    return PastThreshold(people=_count(quiet), fresh=_count(fresh))


def _count_waits(
    trigger: Abandonment | Inactivity, started_by: str, ended_by: str | None, definition: RuleDefinition, now: datetime
) -> PastThreshold:
    """Count in the log, from its end: what comes first of somebody is what happened last."""
    waits = _Waits(trigger, started_by)
    people: set[UUID] = set()
    fresh: set[UUID] = set()
    names = [name for name in (started_by, ended_by) if name is not None]
    deadline = time.monotonic() + SECONDS
    is_partial = False
    with open_connection("engagement-admin", timeout_ms=_TIMEOUT_MS) as connection:
        for page in read_named_backwards(connection, names, size=PAGE):
            is_partial = time.monotonic() > deadline or len(people) >= MOST
            if is_partial:
                break
            roots = find_roots(connection, {event.profile_id for event in page})
            for event in page:
                person = roots[event.profile_id]
                due_at = waits.find_due(event, person)
                if due_at is None or due_at > now:
                    continue
                people.add(person)
                if due_at > now - definition.expires_after:
                    fresh.add(person)
    return PastThreshold(
        people=Bounded(number=min(len(people), MOST), is_partial=is_partial),
        fresh=Bounded(number=min(len(fresh), MOST), is_partial=is_partial),
    )


class _Waits:
    """The waits of the people whose events are read, last first."""

    def __init__(self, trigger: Abandonment | Inactivity, started_by: str) -> None:
        self._trigger = trigger
        self._started_by = started_by
        self._wait = timedelta(seconds=trigger.after)
        self._ended: dict[UUID, set[str]] = {}
        self._started: set[tuple[UUID, str]] = set()

    def find_due(self, event: LoggedEvent, person: UUID) -> datetime | None:
        """Return when the wait that an event started is over; None where something later ended or moved it."""
        key = read_wait_key(self._trigger, event.properties) if isinstance(self._trigger, Abandonment) else ""
        if event.name != self._started_by:
            self._ended.setdefault(person, set()).add(key)
            return None
        is_over = any(keys_fit(ending, key) for ending in self._ended.get(person, ()))
        if is_over or (person, key) in self._started:
            return None
        self._started.add((person, key))
        due_at = event.occurred_at + self._wait
        return due_at if event.origin == IMPORT else max(event.received_at, due_at)


def count_waiting(rule: Rule) -> Bounded:
    """Return how many messages of a rule have not been handed over."""
    return _count(Delivery.objects.filter(rule_id=rule.pk, state__in=(DeliveryState.PLANNED, DeliveryState.CLAIMED)))


def _count(rows: QuerySet[Any]) -> Bounded:
    return Bounded(number=rows[:MOST].count())
