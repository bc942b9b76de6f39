"""The door: a request in, events in the log and the exact answer out. No framework, no look-up of a profile.

authenticate → parse by the path's dialect → check → stamp → append → answer. What is refused goes to quarantine.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

import msgspec

from engagement.lib.ids import compute_id
from tracking.event import Item, Receipt, Rejection, Stamp, stamp_item
from tracking.log.append import Appender, AppendFailed, Stored
from tracking.log.write import Row, encode_row
from tracking.quarantine import Refused, keep_refused
from tracking.registry import KnownSource, Registry
from tracking.schema.validate import MAX_BODY, MAX_EVENT, check_item, needs_look
from tracking.wire import native
from tracking.wire.request import Cookie, WireError, WireRequest, WireResponse

COOKIE = "ea_id"
_COOKIE_SECONDS = 400 * 86_400
_PARSERS: dict[str, Callable[[bytes], native.Parsed]] = {
    "/track-event": native.parse_snippet,
    "/v1/events": native.parse_events,
    "/v1/identify": native.parse_identify,
    "/v1/alias": native.parse_alias,
}
_CORS_HEADERS = "Authorization, Content-Type, X-Write-Key"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who knocks: the source, whether by a key or origin that anybody can see, and the page's origin."""

    source: KnownSource
    is_public: bool
    origin: str | None


def answer_request(
    request: WireRequest, *, registry: Registry, appender: Appender, now: datetime, retention: timedelta
) -> WireResponse:
    """Serve one request of a client. Never raises for anything that the client did."""
    headers: dict[str, str] = {}
    try:
        if request.method == "OPTIONS":
            return _answer_preflight(request, registry)
        caller = authenticate(request, registry)
        headers = _cors(caller.origin)
        if len(request.body) > MAX_BODY:
            raise WireError(413, "body_too_large", f"A request's body holds at most {MAX_BODY} bytes.")
        return _take(request, caller, registry, appender, now, retention)
    except WireError as error:
        return error.answer(headers)
    except AppendFailed:
        message = "The event could not be stored. Send it again, with the same message_id."
        return WireError(503, "unavailable", message).answer(headers | {"Retry-After": "1"})


def authenticate(request: WireRequest, registry: Registry) -> Caller:
    """Return who sends: by a key, or, for a page without one, by its Origin."""
    origin = request.headers.get("origin")
    key = _read_key(request)
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


def _read_key(request: WireRequest) -> str | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value:
        return value.strip()
    return request.headers.get("x-write-key") or None


def _answer_preflight(request: WireRequest, registry: Registry) -> WireResponse:
    origin = request.headers.get("origin")
    if origin not in registry.by_origin:
        raise WireError(403, "origin_not_allowed", f"No source allows pages of {origin}.", "Origin")
    headers = _cors(origin) | {
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": _CORS_HEADERS,
        "Access-Control-Max-Age": "7200",
    }
    return WireResponse(status=204, headers=headers)


def _cors(origin: str | None) -> dict[str, str]:
    if origin is None:
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": "Retry-After",
        "Vary": "Origin",
    }


def _take(
    request: WireRequest,
    caller: Caller,
    registry: Registry,
    appender: Appender,
    now: datetime,
    retention: timedelta,
) -> WireResponse:
    parsed = _PARSERS[request.path](request.body)
    cookie = None
    if request.path == "/track-event":
        parsed, cookie = _give_identity(parsed, request, caller)
    stamp = Stamp(source_id=caller.source.id, now=now, retention=retention, is_public=caller.is_public)
    rows, rejections = _check_all(parsed, caller, registry, stamp, needs_look(request.body, parsed))
    receipts = _append(rows, rejections, appender)
    if rejections:
        refused = [Refused(rejection, _cut_payload(parsed, rejection, request)) for rejection in rejections]
        keep_refused(caller.source.id, refused, now)
    receipts.sort(key=lambda receipt: receipt.index)
    return WireResponse(
        status=_choose_status(receipts), body={"results": receipts}, headers=_cors(caller.origin), cookie=cookie
    )


def resend(
    body: bytes, source: KnownSource, *, registry: Registry, appender: Appender, now: datetime, retention: timedelta
) -> Receipt:
    """Take one mended item of a source again, as from its own server; what is refused again is not kept anew.

    The item is an event as `/track-event` takes it; with `traits` and no event an identify, with `previous_id` an
    alias. Raises WireError when it is not JSON, AppendFailed when it could not be stored.
    """
    caller = Caller(source=source, is_public=False, origin=None)
    stamp = Stamp(source_id=source.id, now=now, retention=retention, is_public=False)
    rows, rejections = _check_all(native.parse_any(body), caller, registry, stamp, looks=True)
    return _append(rows, rejections, appender)[0]


def _check_all(
    parsed: native.Parsed, caller: Caller, registry: Registry, stamp: Stamp, looks: bool
) -> tuple[list[tuple[int, Row]], list[Rejection]]:
    rows: list[tuple[int, Row]] = []
    rejections: list[Rejection] = []
    for item in parsed:
        result = _check_one(item, caller, registry, stamp, looks)
        if isinstance(result, Rejection):
            rejections.append(result)
        else:
            rows.append((item.index, result))
    return rows, rejections


def _check_one(
    item: Item | Rejection, caller: Caller, registry: Registry, stamp: Stamp, looks: bool
) -> Row | Rejection:
    if isinstance(item, Rejection):
        return item
    rejection = check_item(item, looks=looks) or _check_name(item, caller, registry)
    if rejection is not None:
        return rejection
    event = stamp_item(item, stamp)
    if isinstance(event, Rejection):
        return event
    row = encode_row(event)
    if len(row.encoded) > MAX_EVENT:
        message = f"An event holds at most {MAX_EVENT} bytes; this one holds {len(row.encoded)}."
        return Rejection(index=item.index, code="event_too_large", message=message)
    return row


def _check_name(item: Item, caller: Caller, registry: Registry) -> Rejection | None:
    if not caller.is_public or item.name not in registry.reserved_names:
        return None
    message = "This event may not come from a page or an app: send it from a server with the secret key."
    return Rejection(index=item.index, code="reserved_event", field="event", message=message)


def _append(rows: list[tuple[int, Row]], rejections: list[Rejection], appender: Appender) -> list[Receipt]:
    outcomes = appender.append([row for _, row in rows])
    receipts = []
    for (index, _), outcome in zip(rows, outcomes, strict=True):
        if isinstance(outcome, Stored):
            receipts.append(Receipt(index=index, id=outcome.id, outcome="accepted"))
        else:
            rejections.append(Rejection(index=index, code="unstorable", message=outcome.message))
    for rejection in rejections:
        receipts.append(
            Receipt(
                index=rejection.index,
                outcome="rejected",
                code=rejection.code,
                field=rejection.field,
                message=rejection.message,
            )
        )
    return receipts


def _choose_status(receipts: list[Receipt]) -> int:
    if any(receipt.outcome == "accepted" for receipt in receipts):
        return 202
    return 403 if all(receipt.code == "reserved_event" for receipt in receipts) else 400


def _give_identity(parsed: native.Parsed, request: WireRequest, caller: Caller) -> tuple[native.Parsed, Cookie | None]:
    """A page that sends no id gets an anonymous one in a first-party cookie.

    It is computed from the message id where there is one, so that a retry whose answer, and cookie, was lost is
    still the same person. A request from another site carries no cookie: its event is marked, and counted.
    """
    item = parsed[0]
    if isinstance(item, Rejection) or item.anonymous_id is not None:
        return parsed, None
    known = request.cookies.get(COOKIE)
    if item.user_id is not None and known is None:
        return parsed, None
    if known is not None and 1 <= len(known) <= 64:
        return [msgspec.structs.replace(item, anonymous_id=known)], None
    anonymous_id = _make_anonymous_id(item, caller.source.id)
    is_lost = not _is_first_party(request, caller)
    context = item.context | {"$without_identity": True} if is_lost else item.context
    cookie = Cookie(name=COOKIE, value=anonymous_id, max_age=_COOKIE_SECONDS, secure=request.is_secure)
    return [msgspec.structs.replace(item, anonymous_id=anonymous_id, context=context)], None if is_lost else cookie


def _make_anonymous_id(item: Item, source_id: int) -> str:
    if item.message_id is None:
        return uuid4().hex
    return compute_id("anonymous", str(source_id), item.message_id).hex


def _is_first_party(request: WireRequest, caller: Caller) -> bool:
    if caller.origin is None:
        return False
    return caller.origin.partition("://")[2] == request.headers.get("host")


def _cut_payload(parsed: native.Parsed, rejection: Rejection, request: WireRequest) -> bytes:
    """Return the item alone where it was understood, else the body: what somebody needs to mend it."""
    for item in parsed:
        if item.index == rejection.index and isinstance(item, Item):
            return msgspec.json.encode(item)
    return request.body if len(parsed) == 1 else native.find_raw_item(request.body, rejection.index)
