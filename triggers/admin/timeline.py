"""A person's timeline: what they did, their silences, what was decided and the messages, newest first.

A page is cut by the log's ids, so it costs the same however long the story is.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from tracking.event import ADOPTED, ALIAS, DERIVED, FOLLOW, IDENTIFY, LINKED, NOT_SENT, SYSTEM, UNLINKED
from tracking.models import Event, Profile, Source
from tracking.profiles import Spans, list_spans
from triggers.models import Activation, Attempt, Delivery, Rule

PAGE = 40

# What one lane told another about a link is said once: when the device's story was taken over. That a message was not
# sent, and why, is said of the message.
_TOLD_ELSEWHERE = (FOLLOW, LINKED, NOT_SENT)
_NOTES = {
    IDENTIFY: "The app said what it knows of this person",
    ALIAS: "The app said that two ids are this person",
    ADOPTED: "What was done before the sign-in is theirs from here on",
    UNLINKED: "Somebody else signed in on the device: what happens there is not theirs",
}


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery with its attempts."""

    delivery: Any
    attempts: list[Any]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that matched, and the messages that followed."""

    activation: Any
    rule_name: str
    messages: list[Message]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the person, and all that it led to. `kind` is event, silence or note, which `words` explain."""

    kind: str
    event: Any
    at: datetime
    source_name: str
    decisions: list[Decision]
    too_late: bool
    words: str = ""


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """A page. `older` is the id behind which the next one begins, None on the last."""

    entries: list[Entry]
    older: UUID | None


def load_timeline(profile: Profile, before: UUID | None = None, limit: int = PAGE) -> Timeline:
    """Read a page of a person's timeline, in a fixed number of queries."""
    events = _load_events(find_spans(profile), before, limit + 1)
    older = events[limit - 1].pk if len(events) > limit else None
    shown = events[:limit]
    people = [span[0] for span in find_spans(profile)]
    decisions = _load_decisions(people, shown)
    sources = {source.pk: source for source in Source.objects.all()}
    entries = [_describe(event, decisions.get(event.pk, []), sources) for event in shown]
    entries.sort(key=lambda entry: (entry.at, entry.event.seq), reverse=True)
    return Timeline(entries=entries, older=older)


def find_spans(profile: Profile) -> Spans:
    """Return all profiles of a person with the part of the log in which they are theirs."""
    return list_spans(profile.pk, profile.joined)


def _load_events(spans: Sequence[tuple[UUID, int, int]], before: UUID | None, limit: int) -> list[Event]:
    """Read each profile's newest events by the index that begins with it, and of these the newest."""
    found: list[Event] = []
    for profile_id, since, until in spans:
        rows = Event.objects.filter(profile_id=profile_id, seq__gt=since, seq__lte=until).order_by("-id")
        rows = rows.exclude(name__in=_TOLD_ELSEWHERE)
        found += rows.filter(id__lt=before)[:limit] if before is not None else rows[:limit]
    return sorted(found, key=lambda event: event.pk, reverse=True)[:limit]


def _load_decisions(people: Sequence[UUID], events: Sequence[Event]) -> dict[UUID, list[Decision]]:
    ids = [event.pk for event in events]
    activations = list(Activation.objects.filter(profile_id__in=people, event_id__in=ids).order_by("id"))
    deliveries = list(Delivery.objects.filter(profile_id__in=people, activation_id__in=[row.pk for row in activations]))
    attempts: dict[UUID, list[Attempt]] = {}
    for attempt in Attempt.objects.filter(delivery_id__in=[row.pk for row in deliveries]).order_by("number"):
        attempts.setdefault(attempt.delivery_id, []).append(attempt)
    rules = dict(Rule.objects.filter(pk__in={row.rule_id for row in activations}).values_list("pk", "name"))
    found: dict[UUID, list[Decision]] = {}
    for row in activations:
        own = [one for one in deliveries if one.activation_id == row.pk]
        messages = [Message(delivery=one, attempts=attempts.get(one.pk, [])) for one in own]
        decision = Decision(activation=row, rule_name=rules.get(row.rule_id, "a rule"), messages=messages)
        found.setdefault(row.event_id, []).append(decision)
    return found


def _describe(event: Event, decisions: list[Decision], sources: dict[int, Source]) -> Entry:
    source = sources.get(event.source_id or 0)
    kinds = {DERIVED: "silence", SYSTEM: "note"}
    kind = "note" if event.name.startswith("$") else kinds.get(event.origin, "event")
    lateness = source.lateness if source is not None else None
    too_late = event.origin == 0 and lateness is not None and event.received_at - event.occurred_at > lateness
    return Entry(
        kind=kind,
        event=event,
        at=event.occurred_at,
        source_name=source.name if source is not None else "the platform",
        decisions=decisions,
        too_late=too_late,
        words=_NOTES.get(event.name, ""),
    )
