"""Who knocks at the door: the source of a key or of a page's origin, and what a browser is told (CORS)."""

import msgspec

from tracking.registry import KnownSource, Registry
from tracking.wire.request import WireError, WireRequest, WireResponse

_CORS_METHODS = "GET, POST"
_CORS_HEADERS = "Authorization, Content-Type, X-Write-Key, X-Retry-Count"
_CORS_SECONDS = "7200"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """The source, whether by a key or origin that anybody can see, and the page's origin."""

    source: KnownSource
    is_public: bool
    origin: str | None


def read_key(request: WireRequest) -> str | None:
    """Return the key of `Authorization: Bearer` or `X-Write-Key`."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value:
        return value.strip()
    return request.headers.get("x-write-key") or None


def authenticate(request: WireRequest, registry: Registry, key: str | None) -> Caller:
    """Return who sends: by a key or, for a page without one, by its Origin. Raises WireError (401, 403)."""
    origin = request.headers.get("origin")
    if key is None:
        return _authenticate_page(origin, registry)
    secret = registry.find_secret(key) if key.startswith("sk_") else None
    if secret is not None:
        return Caller(source=secret, is_public=False, origin=None)
    source = registry.by_write_key.get(key)
    if source is None:
        raise WireError(401, "unknown_key", "No source has this key.", "Authorization")
    if origin is not None and origin not in source.origins:
        raise WireError(403, "origin_not_allowed", f"The source does not allow pages of {origin}.", "Origin")
    return Caller(source=source, is_public=True, origin=origin)


def _authenticate_page(origin: str | None, registry: Registry) -> Caller:
    if origin is None:
        message = "Give the source's key in `Authorization: Bearer` or `X-Write-Key`."
        raise WireError(401, "key_required", message, "Authorization")
    source = registry.by_origin.get(origin)
    if source is None:
        raise WireError(403, "origin_not_allowed", f"No source allows pages of {origin}.", "Origin")
    return Caller(source=source, is_public=True, origin=origin)


def answer_preflight(request: WireRequest, registry: Registry) -> WireResponse:
    """Answer a browser that asks before it sends. It shows no key: an origin of any source may go on."""
    origin = request.headers.get("origin")
    if origin not in registry.by_origin:
        raise WireError(403, "origin_not_allowed", f"No source allows pages of {origin}.", "Origin")
    headers = describe_cors(origin) | {
        "Access-Control-Allow-Methods": _CORS_METHODS,
        "Access-Control-Allow-Headers": _CORS_HEADERS,
        "Access-Control-Max-Age": _CORS_SECONDS,
    }
    return WireResponse(status=204, headers=headers)


def find_cors(request: WireRequest, registry: Registry) -> dict[str, str]:
    """Return what lets a page of an allowed origin read an answer, before it is known whose key it sent."""
    origin = request.headers.get("origin")
    return describe_cors(origin) if origin in registry.by_origin else {}


def describe_cors(origin: str | None) -> dict[str, str]:
    """Return the headers that let a page of this origin read the answer."""
    if origin is None:
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": "Retry-After",
        "Vary": "Origin",
    }
