"""The DRF shell around the door: it carries a request in and an answer out, and decides nothing.

DRF's parsers, serializers and content negotiation cost more than the whole of the rest; the body goes to the door as
it came.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.views import APIView

from tracking.door import answer_request
from tracking.log.appenders import get_appender
from tracking.registry import get_registry
from tracking.wire.request import WireError, WireRequest, WireResponse

_HEADERS = {
    "HTTP_AUTHORIZATION": "authorization",
    "HTTP_X_WRITE_KEY": "x-write-key",
    "HTTP_ORIGIN": "origin",
    "HTTP_HOST": "host",
}


class IngestView(APIView):
    """Takes what clients report. Authentication is the door's: by a source's key or a page's origin."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    parser_classes = ()

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        """Skip negotiation, versions and permissions: the door does what is needed."""

    @extend_schema(exclude=True)
    def post(self, request: Any) -> HttpResponse:
        """Append events."""
        return serve(request._request)

    @extend_schema(exclude=True)
    def options(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        """Answer a browser's preflight."""
        return serve(request._request)


def serve(request: HttpRequest) -> HttpResponse:
    """Carry one request through the door."""
    try:
        wire = _read(request)
    except RequestDataTooBig:
        error = WireError(413, "body_too_large", "The request's body is too large.")
        return _write(error.answer({}))
    answer = answer_request(
        wire,
        registry=get_registry(),
        appender=get_appender(),
        now=datetime.now(UTC),
        retention=timedelta(days=settings.RETENTION_DAYS),
    )
    return _write(answer)


def _read(request: HttpRequest) -> WireRequest:
    meta = request.META
    return WireRequest(
        method=request.method or "GET",
        path=request.path.rstrip("/"),
        headers={name: meta[key] for key, name in _HEADERS.items() if key in meta},
        body=request.body,
        cookies=request.COOKIES,
        is_secure=request.is_secure(),
    )


def _write(answer: WireResponse) -> HttpResponse:
    body = b"" if answer.body is None else msgspec.json.encode(answer.body)
    response = HttpResponse(body, status=answer.status, content_type="application/json", headers=answer.headers)
    if answer.cookie is not None:
        cookie = answer.cookie
        response.set_cookie(
            cookie.name,
            cookie.value,
            max_age=cookie.max_age,
            secure=cookie.secure,
            httponly=True,
            samesite="Lax",
        )
    return response
