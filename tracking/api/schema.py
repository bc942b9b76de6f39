"""What the events of the installation look like, for the developers of its apps: JSON Schema and TypeScript."""

import hashlib
from typing import Any

import msgspec
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from tracking.api.read import ReadView
from tracking.api.schemas import REFUSED
from tracking.schema.export import write_json_schema
from tracking.schema.typescript import write_typescript
from tracking.schemas import load_schemas

_ETAG = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="The `ETag` of an earlier answer: 304 while it holds."
)
_UNCHANGED = OpenApiResponse(description="Nothing has changed since the answer with this `ETag`.")


class TypeScript(BaseRenderer):
    """A TypeScript file as it is."""

    media_type = "application/typescript"
    format = "typescript"
    charset = "utf-8"

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        """Return the text's bytes."""
        return str(data).encode()


class ByFormat(BaseContentNegotiation):
    """The form is asked for by `format`, not by `Accept`: build scripts ask with an address."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Nothing is parsed."""
        return None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        """Return the renderer of the form that was asked for, the first by default."""
        wanted = request.query_params.get("format", renderers[0].format)
        for renderer in renderers:
            if renderer.format == wanted:
                return renderer, renderer.media_type
        raise ValidationError({"format": ["json or typescript."]}, code="invalid_format")


class SchemaView(ReadView):
    """All event types."""

    content_negotiation_class = ByFormat
    renderer_classes: tuple[type[BaseRenderer], ...] = (JSONRenderer, TypeScript)

    @extend_schema(
        operation_id="read_schema",
        summary="What the events look like",
        parameters=[OpenApiParameter("format", str, enum=["json", "typescript"]), _ETAG],
        responses={
            (200, "application/json"): OpenApiTypes.OBJECT,
            (200, "application/typescript"): OpenApiTypes.STR,
            304: _UNCHANGED,
            **REFUSED,
        },
        tags=["Read"],
    )
    def get(self, request: Request) -> Response:
        """Return the approved schemas: as JSON Schema, or with `format=typescript` as types."""
        return answer_schemas(request)

    def handle_exception(self, exc: Exception) -> Response:
        """Errors are JSON in every form."""
        self.request.accepted_renderer, self.request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        return super().handle_exception(exc)


class TypesView(SchemaView):
    """The TypeScript file under a name of its own."""

    renderer_classes = (TypeScript,)

    @extend_schema(
        operation_id="read_types",
        summary="What the events look like, as a TypeScript file",
        parameters=[_ETAG],
        responses={(200, "application/typescript"): OpenApiTypes.STR, 304: _UNCHANGED, **REFUSED},
        tags=["Read"],
    )
    def get(self, request: Request) -> Response:
        """Return the approved schemas as `events.d.ts`."""
        return answer_schemas(request)


def answer_schemas(request: Request) -> Response:
    """Answer in the form that was asked for; 304 where the client has it already."""
    schemas = load_schemas()
    is_typescript = isinstance(request.accepted_renderer, TypeScript)
    body: Any = write_typescript(schemas) if is_typescript else write_json_schema(schemas)
    etag = f'"{hashlib.sha256(msgspec.json.encode(body)).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    known = [one.strip().removeprefix("W/") for one in request.headers.get("If-None-Match", "").split(",")]
    if etag in known or "*" in known:
        return Response(status=304, headers=headers)
    return Response(body, headers=headers)
