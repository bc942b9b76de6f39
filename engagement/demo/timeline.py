"""A visitor's timeline: what they did, their silences, what the rules decided and the messages that came of it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from django.urls import reverse
from django.utils import timezone

from engagement.demo.origins import find_demo_source
from engagement.demo.sentences import describe_delivery, describe_event, describe_silence, describe_trace
from engagement.demo.upcoming import ActiveDefinition, Upcoming, find_active_rules, find_upcoming
from engagement.demo.visitor import Visitor
from tracking.event import DERIVED, compute_anonymous_profile_id, compute_user_profile_id
from tracking.models import Event, Profile
from triggers.models import Activation, Delivery, DeliveryState, Rule
from triggers.rules.describe import describe_rule

_LATEST = 60
_SETTLED_AFTER = 4.0
"""Seconds after which a silence that started nothing is said to have started nothing."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line. `kind` is event, silence, decision or message; `rank` orders what one moment brought."""

    id: str
    kind: str
    at: datetime
    title: str
    detail: str = ""
    code: str = ""
    state: str = ""
    link: str = ""
    rank: int = 0


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """What the panel shows. `entries` are newest first, `upcoming` nearest first."""

    now: datetime
    address: str | None
    entries: list[Entry]
    upcoming: list[Upcoming]


def load_timeline(visitor: Visitor) -> Timeline:
    """Read a visitor's timeline: of the demo source's events only, whatever else is known under their address."""
    now = timezone.now()
    source = find_demo_source()
    if source is None:
        return Timeline(now=now, address=visitor.address, entries=[], upcoming=[])
    profile_ids = find_profile_ids(visitor, source.pk)
    events = _load_events(profile_ids, source.pk)
    rules = find_active_rules()
    activations = list(Activation.objects.filter(profile_id__in=profile_ids, event_id__in=[row.id for row in events]))
    deliveries = Delivery.objects.filter(profile_id__in=profile_ids, activation_id__in=[row.id for row in activations])
    entries = [
        *_describe_events(events, {row.event_id for row in activations}, rules, now),
        *_describe_activations(activations),
        *(_describe_delivery(delivery) for delivery in deliveries),
    ]
    entries.sort(key=lambda entry: (entry.at, entry.rank), reverse=True)
    upcoming = find_upcoming(profile_ids, events, rules, now, has_address=visitor.address is not None)
    return Timeline(now=now, address=visitor.address, entries=entries, upcoming=upcoming)


def find_profile_ids(visitor: Visitor, source_id: int) -> list[UUID]:
    """Return all profiles of a visitor: the known one, those that joined it, and this device's while it is nobody's."""
    known = compute_user_profile_id(visitor.address) if visitor.address else None
    own = compute_anonymous_profile_id(source_id, visitor.anonymous_id) if visitor.anonymous_id else None
    rows = {
        row.id: row for row in Profile.objects.filter(id__in=[identifier for identifier in (known, own) if identifier])
    }
    found = [] if known is None else [known]
    if known in rows:
        found += [UUID(joined) for joined in rows[known].joined]
    owner = rows[own].linked_to if own in rows else None
    if own is not None and own not in found and owner in (None, known):
        found.append(own)
    return found


def _load_events(profile_ids: Sequence[UUID], source_id: int) -> list[Event]:
    latest = Event.objects.filter(profile_id__in=profile_ids, source_id=source_id).order_by("-id")[:_LATEST]
    return sorted(latest, key=lambda event: event.seq)


def _describe_events(
    events: Sequence[Event], started: set[UUID], rules: dict[int, ActiveDefinition], now: datetime
) -> list[Entry]:
    return [
        entry
        for event in events
        if (
            entry := _describe_derived(event, started, rules, now) if event.origin == DERIVED else _describe_live(event)
        )
    ]


def _describe_live(event: Event) -> Entry | None:
    title = describe_event(event.name, event.properties)
    if title is None:
        return None
    return Entry(id=str(event.id), kind="event", at=event.received_at, title=title, code=event.name)


def _describe_derived(event: Event, started: set[UUID], rules: dict[int, ActiveDefinition], now: datetime) -> Entry:
    rule = rules.get(event.context.get("detector", {}).get("rule", 0))
    is_settled = (now - event.received_at).total_seconds() > _SETTLED_AFTER
    detail = ""
    if rule is not None and event.id not in started and is_settled:
        detail = f"Nothing follows, because “{rule.name}” asks for more. {describe_rule(rule.definition)}"
    return Entry(
        id=str(event.id),
        kind="silence",
        at=event.received_at,
        title=describe_silence(event.name, event.properties, came_back=bool(event.context.get("came_back"))),
        detail=detail,
        code=event.name,
        rank=1,
    )


def _describe_activations(activations: Sequence[Activation]) -> list[Entry]:
    names = dict(Rule.objects.filter(pk__in={row.rule_id for row in activations}).values_list("pk", "name"))
    return [
        Entry(
            id=str(row.id),
            kind="decision",
            at=row.created_at,
            title=f"The rule “{names.get(row.rule_id, row.rule_id)}” matched",
            detail=describe_trace(row.trace),
            rank=2,
        )
        for row in activations
    ]


def _describe_delivery(delivery: Delivery) -> Entry:
    is_sent = delivery.state == DeliveryState.ACCEPTED
    title, detail = describe_delivery(delivery.state, delivery.reason, delivery.detail, delivery.address)
    subject = (delivery.message or {}).get("subject", "")
    return Entry(
        id=str(delivery.id),
        kind="message",
        at=delivery.updated_at,
        title=title,
        detail=subject if is_sent else detail,
        state=delivery.state,
        link=reverse("inbox-delivery", args=[delivery.id]) if is_sent else "",
        rank=3,
    )
