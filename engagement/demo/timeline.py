"""A visitor's timeline: what they did, their silences, what the rules decided and the messages that came of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from django.urls import reverse
from django.utils import timezone

from engagement.demo.origins import find_demo_source
from engagement.demo.person import Person, find_person
from engagement.demo.refusals import Refused, explain_refusals
from engagement.demo.sentences import describe_delivery, describe_event, describe_silence, describe_trace
from engagement.demo.upcoming import ActiveDefinition, Upcoming, find_active_rules, find_upcoming
from engagement.demo.visitor import Visitor
from tracking.event import DERIVED
from tracking.models import Event
from triggers.models import Activation, Delivery, DeliveryState, Rule

_LATEST = 60
_SETTLED_AFTER = 4.0
"""How many seconds a silence may take to start something before it is said to have started nothing."""


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
    person = find_person(visitor, source.pk)
    events = _load_events(person, source.pk)
    rules = find_active_rules()
    activations = list(
        Activation.objects.filter(profile_id__in=person.profile_ids, event_id__in=[row.id for row in events])
    )
    deliveries = Delivery.objects.filter(
        profile_id__in=person.profile_ids, activation_id__in=[row.id for row in activations]
    )
    refused = _find_refused(events, {row.event_id for row in activations}, rules, now)
    refusals = explain_refusals(refused, person)
    entries = [
        *_describe_events(events, refusals, rules),
        *_describe_activations(activations),
        *(_describe_delivery(delivery) for delivery in deliveries),
    ]
    entries.sort(key=lambda entry: (entry.at, entry.rank), reverse=True)
    upcoming = find_upcoming(person.profile_ids, events, rules, now, has_address=visitor.address is not None)
    return Timeline(now=now, address=visitor.address, entries=entries, upcoming=upcoming)


def _load_events(person: Person, source_id: int) -> list[Event]:
    latest = Event.objects.filter(person.events, source_id=source_id).order_by("-id")[:_LATEST]
    return sorted(latest, key=lambda event: event.seq)


def _describe_events(
    events: Sequence[Event], refusals: Mapping[UUID, str], rules: Mapping[int, ActiveDefinition]
) -> list[Entry]:
    described = (
        _describe_derived(event, refusals.get(event.id) or _say_finder(event, rules))
        if event.origin == DERIVED
        else _describe_live(event)
        for event in events
    )
    return [entry for entry in described if entry is not None]


def _describe_live(event: Event) -> Entry | None:
    title = describe_event(event.name, event.properties)
    if title is None:
        return None
    return Entry(id=str(event.id), kind="event", at=event.received_at, title=title, code=event.name)


def _say_finder(event: Event, rules: Mapping[int, ActiveDefinition]) -> str:
    """Say which rule found a silence, where others look for one of the same name."""
    same = [rule for rule in rules.values() if rule.definition.emitted_event == event.name]
    own = [rule for rule in same if rule.rule_id == event.context.get("detector", {}).get("rule")]
    return f"Found by the rule “{own[0].name}”." if own and len(same) > 1 else ""


def _describe_derived(event: Event, detail: str) -> Entry:
    return Entry(
        id=str(event.id),
        kind="silence",
        at=event.received_at,
        title=describe_silence(event.name, event.properties, came_back=bool(event.context.get("came_back"))),
        detail=detail,
        code=event.name,
        rank=1,
    )


def _find_refused(
    events: Sequence[Event], started: set[UUID], rules: dict[int, ActiveDefinition], now: datetime
) -> list[Refused]:
    found = []
    for event in events:
        rule = rules.get(event.context.get("detector", {}).get("rule", 0)) if event.origin == DERIVED else None
        is_settled = (now - event.received_at).total_seconds() > _SETTLED_AFTER
        if rule is not None and event.id not in started and is_settled:
            found.append(Refused(event=event, rule_name=rule.name, definition=rule.definition))
    return found


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
