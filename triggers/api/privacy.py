"""What a person may ask for: all that is held of them, and that it is erased."""

from typing import Any
from uuid import UUID

from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from engagement.lib.postgres import open_connection
from tracking.api.read import ProfileView, ReadView
from tracking.api.schemas import REFUSED, USER, ErrorOut
from tracking.erasure.ask import ask_erasure
from tracking.event import compute_anonymous_profile_id, compute_user_profile_id
from tracking.models import Erasure, Scope
from tracking.registry import KnownSource
from tracking.schema.validate import MAX_ID
from triggers.export import export_person

_TIMEOUT_MS = 5_000
# Whoever runs through the examples of the API's description must not erase what the others read.
WITHOUT_EXAMPLE = {"x-without-example": True}
IDENTITY = [
    OpenApiParameter("user_id", str, description="The person's own id."),
    OpenApiParameter(
        "anonymous_id", str, description="Instead: the id of somebody who has not signed in, of the key's source."
    ),
]


class ErasureOut(serializers.Serializer[Any]):
    """The receipt of an erasure. It names nobody."""

    id = serializers.UUIDField()
    url = serializers.URLField()
    state = serializers.ChoiceField(["accepted", "done"])
    requested_at = serializers.DateTimeField()
    completed_at = serializers.DateTimeField(allow_null=True)
    counts = serializers.DictField(
        child=serializers.IntegerField(), help_text="How many rows of each table went; empty until it is done."
    )


class ExportOut(serializers.Serializer[Any]):
    """All that is held of a person: the rows of the tables, with their columns' names."""

    format = serializers.IntegerField()
    exported_at = serializers.DateTimeField()
    profiles = serializers.ListField(child=serializers.DictField())
    events = serializers.ListField(child=serializers.DictField())
    profile_changes = serializers.ListField(child=serializers.DictField())
    activations = serializers.ListField(child=serializers.DictField())
    deliveries = serializers.ListField(child=serializers.DictField())
    timers = serializers.ListField(child=serializers.DictField())
    set_aside = serializers.ListField(child=serializers.DictField())
    quarantined = serializers.ListField(child=serializers.DictField())
    webhook_payloads = serializers.ListField(child=serializers.DictField())
    suppressions = serializers.ListField(child=serializers.DictField())


ERASED = {202: ErasureOut, 404: ErrorOut, **REFUSED}


class PersonView(ProfileView):
    """A known person: read, or erased."""

    scopes = {"DELETE": Scope.PRIVACY}

    @extend_schema(
        operation_id="erase_profile",
        parameters=[USER],
        extensions=WITHOUT_EXAMPLE,
        request=None,
        responses=ERASED,
        tags=["Privacy"],
        summary="Erase a person",
    )
    def delete(self, request: Request, user_id: str) -> Response:
        """Erase all that is held of a person: events, profile, decisions, messages, what waits and what was refused.

        Asked again, it answers with the same receipt, unless something of them may have come in since. 404 when nothing
        is held and nothing was erased.
        """
        return answer_erasure(request, compute_user_profile_id(check_id("user_id", user_id)))


class ExportView(ReadView):
    """All that is held of a known person."""

    scope = Scope.PRIVACY

    @extend_schema(
        operation_id="export_profile",
        parameters=[USER],
        responses={200: ExportOut, 404: ErrorOut, **REFUSED},
        tags=["Privacy"],
        summary="All that is held of a person",
    )
    def get(self, request: Request, user_id: str) -> HttpResponseBase:
        """Return one document with every row of every table, of all profiles that are theirs.

        It is written while it is read, so it may be as long as the person's history.
        """
        return answer_export(compute_user_profile_id(check_id("user_id", user_id)))


class ExportByIdView(ReadView):
    """All that is held of a person, by an id that is not known or cannot stand in a path."""

    scope = Scope.PRIVACY

    @extend_schema(
        operation_id="export_profile_by_id",
        parameters=IDENTITY,
        responses={200: ExportOut, 404: ErrorOut, **REFUSED},
        extensions=WITHOUT_EXAMPLE,
        tags=["Privacy"],
        summary="All that is held of a person, by any id",
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Return the same document by `user_id`, or by `anonymous_id` of the key's source."""
        return answer_export(read_profile_id(request))


class PeopleView(ReadView):
    """People by an id that is not known, or that cannot stand in a path."""

    scope = Scope.PRIVACY

    @extend_schema(
        operation_id="erase_profile_by_id",
        extensions=WITHOUT_EXAMPLE,
        parameters=IDENTITY,
        request=None,
        responses=ERASED,
        tags=["Privacy"],
        summary="Erase a person by any id",
    )
    def delete(self, request: Request) -> Response:
        """Erase a person by `user_id`, or somebody who has not signed in by `anonymous_id`.

        Somebody who has signed in on the device since is the person that is erased.
        """
        return answer_erasure(request, read_profile_id(request))


class ErasureView(ReadView):
    """A receipt."""

    scope = Scope.PRIVACY

    @extend_schema(
        operation_id="read_erasure",
        responses={200: ErasureOut, 404: ErrorOut, **REFUSED},
        tags=["Privacy"],
        summary="Read the receipt of an erasure",
    )
    def get(self, request: Request, erasure_id: UUID) -> Response:
        """Return whether it is done, and how many rows of each table went."""
        erasure = Erasure.objects.filter(pk=erasure_id).first()
        if erasure is None:
            raise NotFound("There is no erasure with this id.", code="not_found")
        return Response(describe_erasure(request, erasure))


def answer_erasure(request: Request, profile_id: UUID) -> Response:
    """Ask for the erasure of a profile's person; return the answer with the receipt. Raises NotFound."""
    with open_connection("engagement-erasure", timeout_ms=_TIMEOUT_MS) as connection:
        receipt = ask_erasure(connection, profile_id, f"API, source {read_source(request).name}")
    if receipt is None:
        raise NotFound("Nothing is held of this person, and nothing was erased.", code="not_found")
    return Response(describe_erasure(request, Erasure.objects.get(pk=receipt)), status=202)


def answer_export(profile_id: UUID) -> HttpResponseBase:
    """Answer with the document, as a file to keep. Raises NotFound."""
    pieces = export_person(profile_id)
    if pieces is None:
        raise NotFound("Nothing is held of this person.", code="not_found")
    headers = {"Content-Disposition": 'attachment; filename="person.json"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(pieces, content_type="application/json", headers=headers)


def describe_erasure(request: Request, erasure: Erasure) -> dict[str, Any]:
    """Return a receipt as the API shows it."""
    return {
        "id": erasure.pk,
        "url": request.build_absolute_uri(f"/v1/erasures/{erasure.pk}"),
        "state": "accepted" if erasure.completed_at is None else "done",
        "requested_at": erasure.requested_at,
        "completed_at": erasure.completed_at,
        "counts": erasure.counts,
    }


def read_profile_id(request: Request) -> UUID:
    """Return the profile that a request names by `user_id` or `anonymous_id`; raises ValidationError."""
    user_id, anonymous_id = request.query_params.get("user_id"), request.query_params.get("anonymous_id")
    if user_id and not anonymous_id:
        return compute_user_profile_id(check_id("user_id", user_id))
    if anonymous_id and not user_id:
        return compute_anonymous_profile_id(read_source(request).id, check_id("anonymous_id", anonymous_id))
    raise ValidationError({"user_id": ["Give either user_id or anonymous_id."]}, code="identity_required")


def read_source(request: Any) -> KnownSource:
    """Return the source whose secret key was given."""
    source: KnownSource = request.auth.source
    return source


def check_id(field: str, value: str) -> str:
    """Return an id that an event could have; raises ValidationError."""
    if len(value) > MAX_ID or "\x00" in value:
        raise ValidationError({field: [f"An id holds at most {MAX_ID} characters, and no NUL."]}, code="invalid_field")
    return value
