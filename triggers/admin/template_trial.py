"""Trying a template on a person and an event: what would they read?"""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.fields.json import KT

from engagement.lib.say import say_moment
from tracking.event import compute_user_profile_id
from tracking.models import Event, Profile
from tracking.registry import get_registry
from triggers.render.context import build_variables

_OFFERED = 20


def find_person(text: str) -> Profile | None:
    """Return the profile with this user id, e-mail address or profile id."""
    text = text.strip()
    if not text:
        return None
    found = Profile.objects.filter(pk=compute_user_profile_id(text)).first()
    if found is None and "@" in text:
        found = filter_by_email(Profile.objects.all(), text).first()
    if found is None:
        try:
            found = Profile.objects.filter(pk=UUID(text)).first()
        except ValueError:
            return None
    return found


def filter_by_email(people: QuerySet[Profile], address: str) -> QuerySet[Profile]:
    """Keep who has this mail address: in the words of the index over `traits ->> 'email'`."""
    return people.filter(traits__has_key="email").alias(mail=KT("traits__email")).filter(mail=address)


def list_people() -> list[str]:
    """Return some of the people who were seen last and can be written to."""
    rows = Profile.objects.filter(seen_at__isnull=False, user_id__isnull=False).order_by("-seen_at")
    return [str(row.user_id) for row in rows[:_OFFERED]]


def list_events(person: Profile) -> list[tuple[str, str]]:
    """Return the person's latest events as (id, words)."""
    rows = Event.objects.filter(profile_id=person.pk).exclude(name__startswith="$").order_by("-id")[:_OFFERED]
    return [(str(row.pk), f"{row.name}, {say_moment(row.occurred_at)}") for row in rows]


def collect_variables(person: Profile, event: Event) -> dict[str, Any]:
    """Return the variables of a message about an event of a person, as a real one would have them."""
    source = get_registry().by_id.get(event.source_id or 0)
    return build_variables(
        user_id=person.user_id,
        traits=person.traits,
        event_name=event.name,
        occurred_at=event.occurred_at,
        properties=event.properties,
        source_name=source.name if source is not None else "",
        time_zone=settings.TIME_ZONE,
    )
