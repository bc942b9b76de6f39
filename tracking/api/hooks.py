"""The DRF shell around inbound webhooks."""

from typing import Any

import structlog
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers

from tracking.api.carry import write_answer
from tracking.api.ingest import IngestView, read_length
from tracking.api.schemas import ErrorOut
from tracking.door import describe_cut_short
from tracking.hooks.diary import get_diary
from tracking.hooks.receive import answer_hook, answer_unavailable
from tracking.intake import open_intake
from tracking.wire.request import WireError, WireRequest

log = structlog.get_logger()


class HookOut(serializers.Serializer[Any]):
    """What became of a payload that was verified."""

    outcome = serializers.ChoiceField(["accepted", "ignored", "held"])
    code = serializers.CharField(required=False, help_text="Why it is held.")
    field = serializers.CharField(required=False, allow_null=True, help_text="The field of the mapping.")
    message = serializers.CharField(required=False, help_text="Why it is held or ignored.")


class HookView(IngestView):
    """Where a foreign system's webhooks arrive."""

    scope = None

    @extend_schema(
        operation_id="receive_hook",
        summary="Receive a foreign system's webhook",
        description=(
            "Any JSON object or list, up to 1 MB, signed as the webhook's page in the admin says (Standard Webhooks, "
            "an HMAC header in hex or base64, Stripe's scheme, or a shared secret in a header or as `?token=`). A "
            "payload that was verified and cannot be mapped is held, and answered with 200: nothing is lost."
        ),
        parameters=[
            OpenApiParameter("source_id", int, OpenApiParameter.PATH, description="The source's number."),
            OpenApiParameter("name", str, OpenApiParameter.PATH, description="The webhook's name."),
            OpenApiParameter("token", str, description="The secret, for webhooks that carry it in the address."),
        ],
        request={"application/json": {}},
        responses={
            200: HookOut,
            400: ErrorOut,
            401: ErrorOut,
            403: ErrorOut,
            404: ErrorOut,
            408: ErrorOut,
            413: ErrorOut,
            429: ErrorOut,
            503: ErrorOut,
        },
        auth=[],
        tags=["Webhooks"],
    )
    def post(  # type: ignore[override]
        self, request: Any, source_id: str, name: str
    ) -> HttpResponse:
        """Verify and map what a foreign system says."""
        return serve_hook(request._request, int(source_id), name)

    @extend_schema(exclude=True)
    def options(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        """No page sends webhooks."""
        return HttpResponse(status=204, headers={"Allow": "POST"})


def serve_hook(request: HttpRequest, source_id: int, name: str) -> HttpResponse:
    """Carry one webhook in and its answer out."""
    try:
        wire = _read(request)
    except RequestDataTooBig:
        error = WireError(413, "body_too_large", "The request's body is too large.")
        return write_answer(error.answer({}))
    if len(wire.body) < read_length(request):
        return write_answer(describe_cut_short().answer({}))
    try:
        answer = answer_hook(wire, source_id, name, open_intake(), get_diary())
    except (OperationalError, InterfaceError) as error:
        log.error("hook_unavailable", problem=str(error))
        answer = answer_unavailable()
    return write_answer(answer)


def _read(request: HttpRequest) -> WireRequest:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return WireRequest(
        method=request.method or "POST",
        path=request.path,
        headers=headers,
        body=request.body,
        query=request.META.get("QUERY_STRING", ""),
    )
