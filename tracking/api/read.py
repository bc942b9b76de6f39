"""Reading back what was reported, with the source's secret key."""

from typing import Any

from django.db.models import Q
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from tracking.api.auth import HasScope, ScopedView, SecretKey
from tracking.api.paging import make_page, read_cursor, read_limit
from tracking.api.schemas import PAGING, REFUSED, USER, ErrorOut, EventPage, ProfileOut
from tracking.event import SYSTEM, compute_user_profile_id
from tracking.models import Event, Profile, Scope
from tracking.profiles import OPEN, Spans, list_spans


class ReadView(ScopedView):
    """A view for servers: secret key, keyset pages, errors as code, field, message."""

    authentication_classes = (SecretKey,)
    permission_classes = (HasScope,)
    scope = Scope.READ


class ProfileView(ReadView):
    """A person by the id that the app knows."""

    @extend_schema(
        operation_id="read_profile",
        parameters=[USER],
        responses={200: ProfileOut, 404: ErrorOut, **REFUSED},
        summary="What is known of a person",
        tags=["Read"],
    )
    def get(self, request: Request, user_id: str) -> Response:
        """Return what is known of a person."""
        profile = find_profile(user_id)
        body = {"user_id": user_id, "traits": profile.traits, "seen_at": profile.seen_at}
        return Response(body | {"created_at": profile.created_at})


class ProfileEventsView(ReadView):
    """Everything that a person did, under all of their ids."""

    @extend_schema(
        operation_id="list_profile_events",
        summary="What a person did",
        parameters=[USER, *PAGING],
        responses={200: EventPage, 404: ErrorOut, **REFUSED},
        tags=["Read"],
    )
    def get(self, request: Request, user_id: str) -> Response:
        """Return a page of the person's events, newest last."""
        profile = find_profile(user_id)
        person = list_spans(profile.pk, profile.joined)
        limit = read_limit(request)
        rows = Event.objects.filter(profile_id__in=[span[0] for span in person], id__gt=read_cursor(request))
        own = rows.filter(_are_within(person)).exclude(origin=SYSTEM).order_by("id")
        return Response(make_page(request, list(own[: limit + 1]), limit, describe_event))


def list_events(request: Request, source_id: int) -> Response:
    """Return a page of a source's own log, newest last."""
    limit = read_limit(request)
    rows = Event.objects.filter(source_id=source_id, id__gt=read_cursor(request)).exclude(origin=SYSTEM)
    name, user_id = request.query_params.get("name"), request.query_params.get("user_id")
    if name:
        if "\x00" in name:
            raise ValidationError({"name": ["A name holds no U+0000."]}, code="nul_character")
        rows = rows.filter(name=name)
    if user_id:
        rows = rows.filter(profile_id=compute_user_profile_id(user_id))
    return Response(make_page(request, list(rows.order_by("id")[: limit + 1]), limit, describe_event))


LIST_EVENTS = extend_schema(
    operation_id="list_events",
    summary="What the source reported",
    parameters=[
        OpenApiParameter("name", str, description="Only events of this name."),
        OpenApiParameter("user_id", str, description="Only events of this user."),
        *PAGING,
    ],
    responses={200: EventPage, **REFUSED},
    auth=[{"secretKey": []}],  # type: ignore[list-item]
    tags=["Read"],
)


def find_profile(user_id: str) -> Profile:
    """Return a known person's profile; raises NotFound."""
    profile = Profile.objects.filter(pk=compute_user_profile_id(user_id)).first()
    if profile is None:
        raise NotFound("Nobody is known by this id.", code="not_found")
    return profile


def describe_event(event: Event) -> dict[str, Any]:
    """Return an event as the API shows it."""
    return {
        "id": event.pk,
        "message_id": event.message_id,
        "event": event.name,
        "user_id": event.user_id,
        "anonymous_id": event.anonymous_id,
        "occurred_at": event.occurred_at,
        "received_at": event.received_at,
        "properties": event.properties,
    }


def _are_within(person: Spans) -> Q:
    """Of a device that others used too, only what was this person's: a page must not fill up with the rest."""
    whole = [profile_id for profile_id, since, until in person if (since, until) == (0, OPEN)]
    own = Q(profile_id__in=whole)
    for profile_id, since, until in person:
        if profile_id not in whole:
            own |= Q(profile_id=profile_id, seq__gt=since, seq__lte=until)
    return own
