"""Carries a request in and an answer out. Every shell reads and writes here, so that all of them answer the same."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from django.conf import settings
from django.http import HttpResponse, parse_cookie

from tracking.addresses import find_visitor
from tracking.wire.request import Cookie, WireRequest, WireResponse

HEADERS = (
    "authorization",
    "x-write-key",
    "origin",
    "host",
    "user-agent",
    "x-user-hash",
    "x-signature",
    "x-signature-timestamp",
    "referer",
    "sec-fetch-site",
    "access-control-request-headers",
    "cookie",
    "x-forwarded-for",
    "x-forwarded-proto",
)
"""What the pipeline reads of a request's headers; of all others nothing is kept."""


def carry_in(
    *,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    peer: str,
    scheme: str,
    body: bytes,
    now: datetime | None,
) -> WireRequest:
    """Return the request. `headers` are those of HEADERS that came, decoded as Latin-1; `peer` is who is connected."""
    cookie = headers.get("cookie")
    return WireRequest(
        method=method,
        path=path.rstrip("/"),
        headers=headers,
        body=body,
        query=query,
        address=find_visitor(peer, headers.get("x-forwarded-for", ""), settings.TRUSTED_PROXIES),
        # As Django reads them.
        cookies=parse_cookie(cookie.encode("latin-1").decode(errors="replace")) if cookie else {},
        is_secure=is_secure(headers, scheme),
        received_at=now,
    )


def is_secure(headers: Mapping[str, str], scheme: str) -> bool:
    """Return whether the client speaks https, as the proxy in front says where there is one of ours."""
    if settings.BEHIND_PROXY:
        scheme = headers.get("x-forwarded-proto", scheme).partition(",")[0].strip()
    return scheme == "https"


def encode_body(answer: WireResponse) -> bytes:
    """Return an answer's body as it is sent."""
    if answer.body is None:
        return b""
    return answer.body if isinstance(answer.body, bytes) else msgspec.json.encode(answer.body)


def write_answer(answer: WireResponse) -> HttpResponse:
    """Return an answer as Django sends it."""
    response = HttpResponse(
        encode_body(answer), status=answer.status, content_type=answer.content_type, headers=answer.headers
    )
    if answer.cookie is not None:
        _set_cookie(response, answer.cookie)
    return response


def list_headers(answer: WireResponse) -> list[tuple[bytes, bytes]]:
    """Return an answer's headers as ASGI sends them."""
    headers = [(b"Content-Type", answer.content_type.encode("latin-1"))]
    headers += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    if answer.cookie is not None:
        response = HttpResponse()
        _set_cookie(response, answer.cookie)
        headers += [(b"Set-Cookie", morsel.OutputString().encode()) for morsel in response.cookies.values()]
    return headers


def _set_cookie(response: HttpResponse, cookie: Cookie) -> None:
    response.set_cookie(
        cookie.name, cookie.value, max_age=cookie.max_age, secure=cookie.secure, httponly=True, samesite="Lax"
    )
