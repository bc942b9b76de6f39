"""Who knocks at the door: the source of a key or of a page's origin, and what a browser is told (CORS)."""

import re
from datetime import datetime
from urllib.parse import parse_qsl

import msgspec

from tracking.addresses import reduce_address
from tracking.bots import is_bot
from tracking.models import Scope
from tracking.registry import KnownSource, Registry
from tracking.signature import HEADER, TIMESTAMP_HEADER, Signed, check_signature, normalize_signature
from tracking.wire.request import WireError, WireRequest, WireResponse
from tracking.wire.secrets import SECRET, check_address

SCOPE_MISSING = "scope_missing"
_CORS_METHODS = "GET, POST"
_CORS_HEADERS = "Authorization, Content-Type, X-Write-Key, X-User-Hash, X-Retry-Count, traceparent"
_CORS_SECONDS = "7200"
_HEADER_NAMES = re.compile(r"[\w!#$%&'*+.^`|~-]{1,100}(, *[\w!#$%&'*+.^`|~-]{1,100}){0,30}", re.ASCII)
_KEYS_IN_QUERY = ("key", "write_key")


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """The source, whether by a key or origin that anybody can see, the page's origin, and the key that was shown.

    Of a public caller also: `peer`, the visitor's address, and `address`, what is kept of it; whether it is a bot; and
    the proof that it may speak for a user, where a header carries it. Of a server: the signature of its request.
    """

    source: KnownSource
    is_public: bool
    origin: str | None
    key_id: int | None = None
    peer: str | None = None
    address: str | None = None
    is_bot: bool = False
    user_hash: str | None = None
    signature: str | None = None


def read_key(request: WireRequest) -> str | None:
    """Return the key of `Authorization: Bearer`, of `X-Write-Key`, or a public one of the address.

    A page that is being left sends a beacon, which carries no header of its own. Raises WireError (401) for a secret
    key in the address: it stands in the access logs of every machine on the way.
    """
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value:
        return value.strip()
    return request.headers.get("x-write-key") or (_read_query_key(request.query) if "key=" in request.query else None)


def _read_query_key(query: str) -> str | None:
    fields = dict(parse_qsl(query))
    return check_address(next((fields[name] for name in _KEYS_IN_QUERY if name in fields), None), "key")


def authenticate(request: WireRequest, registry: Registry, key: str | None, now: datetime) -> Caller:
    """Return who sends: by a key or, for a page without one, by its Origin. Raises WireError (401, 403)."""
    origin = request.headers.get("origin")
    if key is None:
        return _meet(request, _find_page_source(origin, registry), None)
    secret = registry.find_secret(key) if key.startswith(SECRET) else None
    if secret is not None:
        if Scope.INGEST not in secret.scopes:
            raise WireError(403, SCOPE_MISSING, describe_missing(Scope.INGEST), "Authorization")
        signature = verify_signature(secret.source, describe_signed(request), now)
        return Caller(source=secret.source, is_public=False, origin=None, key_id=secret.id, signature=signature)
    public = registry.by_public_key.get(key)
    if public is None:
        raise WireError(401, "unknown_key", "No source has this key, or it holds no longer.", "Authorization")
    source, page = public.source, find_page_origin(request)
    if page is not None and not source.allows(page):
        raise WireError(403, "origin_not_allowed", f"The source does not allow pages of {page}.", "Origin")
    return _meet(request, source, public.id)


def describe_missing(scope: Scope) -> str:
    """Return the answer to a key that lacks the scope."""
    return f"This key lacks the scope `{scope.value}`. Use one that has it."


def find_page_origin(request: WireRequest) -> str | None:
    """Return the origin of the page that a request comes from, None where it comes from none.

    What a page loads by GET, such as an image, names no origin; browsers say only that it is for another site. Then the
    Referer tells, and a page that hides it is taken for one without an origin: hiding it must not open the door.
    """
    origin = request.headers.get("origin")
    if origin is not None or request.headers.get("sec-fetch-site") != "cross-site":
        return origin
    return "/".join(request.headers.get("referer", "").split("/", 3)[:3]) or "null"


def verify_signature(source: KnownSource, signed: Signed, now: datetime) -> str | None:
    """Return the signature of a request with a secret key, in its one form; None where none is there or needed.

    Raises WireError (401) where it does not hold, or lacks though the source demands it.
    """
    if not source.demands_signature and not (signed.signature and source.signing_secrets):
        return None
    problem = check_signature(signed, source.signing_secrets, now)
    if problem is not None:
        raise WireError(401, problem.code, problem.message, "X-Signature")
    return normalize_signature(signed.signature)


def describe_signed(request: WireRequest) -> Signed:
    """Return what a request says of its signature."""
    return Signed(
        signature=request.headers.get(HEADER, ""),
        timestamp=request.headers.get(TIMESTAMP_HEADER, ""),
        method=request.method,
        target=request.path + (f"?{request.query}" if request.query else ""),
        body=request.body,
    )


def _meet(request: WireRequest, source: KnownSource, key_id: int | None) -> Caller:
    """Note what can be seen of a public caller."""
    headers = request.headers
    origin = headers.get("origin")
    return Caller(
        source=source,
        is_public=True,
        origin=origin,
        key_id=key_id,
        peer=request.address,
        address=reduce_address(request.address, source.address_policy),
        is_bot=is_bot(headers.get("user-agent", ""), origin),
        user_hash=headers.get("x-user-hash"),
    )


def _find_page_source(origin: str | None, registry: Registry) -> KnownSource:
    if origin is None:
        message = "Give the source's key in `Authorization: Bearer` or `X-Write-Key`."
        raise WireError(401, "key_required", message, "Authorization")
    source = registry.find_page(origin)
    if source is None:
        raise WireError(403, "origin_not_allowed", f"No source allows pages of {origin}.", "Origin")
    return source


def answer_preflight(request: WireRequest, registry: Registry) -> WireResponse:
    """Answer a browser that asks before it sends. It shows no key: an origin of any source may go on."""
    origin = request.headers.get("origin")
    if origin is None or registry.find_page(origin) is None:
        raise WireError(403, "origin_not_allowed", f"No source allows pages of {origin}.", "Origin")
    return allow_page(request, origin)


def allow_page(request: WireRequest, origin: str) -> WireResponse:
    """Tell a browser that a page may send, with whatever headers it asks for: libraries add many of their own.

    Of those that are not ours none is read.
    """
    asked = request.headers.get("access-control-request-headers", "")
    further = f", {asked}" if _HEADER_NAMES.fullmatch(asked) else ""
    headers = describe_cors(origin) | {
        "Access-Control-Allow-Methods": _CORS_METHODS,
        "Access-Control-Allow-Headers": _CORS_HEADERS + further,
        "Access-Control-Max-Age": _CORS_SECONDS,
    }
    return WireResponse(status=204, headers=headers)


def find_cors(request: WireRequest, registry: Registry) -> dict[str, str]:
    """Return what lets a page of an allowed origin read an answer, before it is known whose key it sent."""
    origin = request.headers.get("origin")
    return describe_cors(origin) if origin is not None and registry.find_page(origin) is not None else {}


def describe_cors(origin: str | None) -> dict[str, str]:
    """Return the headers that let a page of this origin read the answer."""
    if origin is None:
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": "Retry-After, X-Error-Code",
        "Vary": "Origin",
    }
