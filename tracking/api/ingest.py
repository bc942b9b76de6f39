"""The DRF shell around the door: it carries a request in and an answer out, and decides nothing.

DRF's parsers, serializers and content negotiation cost more than the whole of the rest; the body goes to the door as
it came.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import structlog
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema

from tracking.api.auth import ScopedView
from tracking.api.carry import HEADERS, carry_in, write_answer
from tracking.api.read import LIST_EVENTS, ReadView, list_events
from tracking.api.schemas import EXAMPLES, SHARED, TAKEN, AliasIn, BatchIn, EventIn, IdentifyIn, SnippetIn
from tracking.door import answer_cut_short, answer_request, answer_too_large, answer_unavailable
from tracking.intake import open_intake
from tracking.models import Scope
from tracking.schema.validate import MAX_BODY
from tracking.wire.dialects import LARGE
from tracking.wire.request import WireRequest

log = structlog.get_logger()
Handler = TypeVar("Handler", bound=Callable[..., Any])

_HEADERS = {f"HTTP_{name.replace('-', '_').upper()}": name for name in HEADERS}


class IngestView(ScopedView):
    """Takes what clients report. Authentication is the door's: by a source's key or a page's origin."""

    scope: Scope | None = Scope.INGEST
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    parser_classes = ()

    @property
    def default_response_headers(self) -> dict[str, str]:
        """None: what DRF adds to an answer means nothing to those who report."""
        return {}

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        """Skip negotiation, versions and permissions: the door does what is needed."""

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Serve, and let go of the request.

        DRF's request and view refer to themselves and so would keep the body, up to a megabyte, until the collector
        comes: after thousands of requests.
        """
        answer = super().dispatch(request, *args, **kwargs)
        self.request.parser_context.clear()
        vars(self).clear()
        return answer

    def post(self, request: Any) -> HttpResponse:
        """Append what the body says."""
        return serve(request._request)

    def options(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        """Answer a browser's preflight."""
        return serve(request._request)


def _describe(operation: str, body: Any, summary: str) -> Callable[[Handler], Handler]:
    describe: Callable[[Handler], Handler] = extend_schema(
        operation_id=operation,
        request={"application/json": body},
        responses=SHARED if operation in ("identify", "alias") else TAKEN,
        auth=[{"key": []}],  # type: ignore[list-item]
        summary=summary,
        tags=["Report"],
        examples=EXAMPLES[operation],
    )
    return describe


class TrackEventView(IngestView):
    """The simplest snippet there is."""

    @_describe("track_event", SnippetIn, "Report one event; every other key is a property")
    def post(self, request: Any) -> HttpResponse:
        """Append one event. A page without an id gets a first-party cookie."""
        return serve(request._request)


class EventsView(IngestView):
    """One event, or up to 1,000; with GET and the secret key, the source's log."""

    scopes = {"GET": Scope.READ}

    @_describe("append_events", PolymorphicProxySerializer("Events", [EventIn, BatchIn], None), "Report events")
    def post(self, request: Any) -> HttpResponse:
        """Append events. Each has its own outcome; 202 only after the commit.

        A request holds up to 1,000 events: 1 MB as it is sent, 5 MB unpacked, 150,000 values. More is 413.
        """
        return serve(request._request)

    @LIST_EVENTS
    def get(self, request: Any) -> Any:
        """Return a page of the source's own log, newest last."""
        return _Listing.as_view()(request._request)


class _Listing(ReadView):
    """The reading half of `/v1/events`, which authenticates in the usual way."""

    def get(self, request: Any) -> Any:
        """Return a page."""
        return list_events(request, request.auth.source.id)


class IdentifyView(IngestView):
    """What is known of a person."""

    @_describe("identify", IdentifyIn, "Say what is known of a person")
    def post(self, request: Any) -> HttpResponse:
        """Append traits of a person."""
        return serve(request._request)


class AliasView(IngestView):
    """Two ids of one person."""

    @_describe("alias", AliasIn, "Say that two ids are one person")
    def post(self, request: Any) -> HttpResponse:
        """Append a link between two ids."""
        return serve(request._request)


class DialectView(IngestView):
    """What clients of other systems speak; its descriptions are those systems' own."""

    @extend_schema(exclude=True)
    def get(self, request: Any) -> HttpResponse:
        """Append what the address says, or answer what the client asks before it starts."""
        return serve(request._request)

    @extend_schema(exclude=True)
    def post(self, request: Any) -> HttpResponse:
        """Append what the body says."""
        return serve(request._request)


def serve(request: HttpRequest) -> HttpResponse:
    """Carry one request through the door."""
    try:
        intake = open_intake()
    except (OperationalError, InterfaceError) as problem:
        log.error("intake_unavailable", problem=str(problem))
        intake = None
    now = intake.now if intake is not None else None
    registry = intake.registry if intake is not None else None
    length = read_length(request)
    try:
        body = _read_body(request, length)
    except RequestDataTooBig:
        return write_answer(answer_too_large(_read(request, b"", now), registry))
    if len(body) < length:
        return write_answer(answer_cut_short(_read(request, b"", now), registry))
    wire = _read(request, body, now)
    return write_answer(answer_request(wire, intake) if intake is not None else answer_unavailable(wire))


def read_length(request: HttpRequest) -> int:
    """Return how many bytes are to come. The server in front hands on what has come once a connection broke."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isdecimal() else 0


def _read_body(request: HttpRequest, length: int) -> bytes:
    """Return the body as it came. Raises RequestDataTooBig.

    A body that is larger than what the setting allows in general, and may be, is read past Django's look at it.
    """
    if length < MAX_BODY:
        return request.body
    most = LARGE.get(request.path.rstrip("/"))
    return request.read() if most is not None and length <= most else request.body


def _read(request: HttpRequest, body: bytes, now: datetime | None) -> WireRequest:
    meta = request.META
    return carry_in(
        method=request.method or "GET",
        path=request.path,
        query=meta.get("QUERY_STRING", ""),
        headers={name: meta[key] for key, name in _HEADERS.items() if key in meta},
        peer=meta.get("REMOTE_ADDR", ""),
        scheme=meta.get("wsgi.url_scheme", "http"),
        body=body,
        now=now,
    )
