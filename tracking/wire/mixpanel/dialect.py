"""Mixpanel's HTTP API: events, attributes of people and groups, imports, and what a page asks for first. Pure."""

from collections.abc import Callable
from typing import Any

from tracking.event import Item, Receipt, Rejection
from tracking.wire.basic import has_basic, read_basic
from tracking.wire.body import read_any
from tracking.wire.dialect import Dialect, Told
from tracking.wire.fields import Fields, Unclear, parse_leniently
from tracking.wire.form import find_in_address
from tracking.wire.mixpanel.answers import answer_reports, refuse
from tracking.wire.mixpanel.events import Around, make_event
from tracking.wire.mixpanel.identity import read_time_leniently
from tracking.wire.mixpanel.packing import MAX_BATCH, Parcel, Unread, asks_for, open_parcel
from tracking.wire.mixpanel.profiles import make_group, make_identify
from tracking.wire.request import WireError, WireRequest, WireResponse
from tracking.wire.secrets import SECRET, check_address

Make = Callable[[int, Fields, Around], Item]

_MAKE: dict[str, Make] = {
    "/track": make_event,
    "/import": make_event,
    "/engage": make_identify,
    "/groups": make_group,
}
_ASKED: dict[str, Any] = {"/flags": {"flags": {}}, "/settings": {}}
"""What a page asks for before it starts, and is told."""

_RECORD = "/record"
_METHODS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys((*_MAKE, _RECORD), ("GET", "POST")),
    **dict.fromkeys(_ASKED, ("GET",)),
}
_KEY_FIELDS = ("token", "api_key")
_OURS = (SECRET, "wk_")
_MARKS_OF_OTHERS = frozenset({"api_key", "uuid", "timestamp"})


def is_meant(request: WireRequest) -> bool:
    """Whether a request speaks this dialect, where other systems' clients have the same paths."""
    if request.path not in _MAKE:
        return request.method in _METHODS[request.path] and (has_basic(request) or _find_token(request) is not None)
    try:
        first = open_parcel(request).items[:1]
    except WireError:
        return False
    return bool(first) and isinstance(first[0], dict) and _is_ours(first[0], request)


def _is_ours(item: Fields, request: WireRequest) -> bool:
    if not _MARKS_OF_OTHERS.isdisjoint(item):
        return False
    if "$token" in item:
        return True
    properties = item.get("properties")
    if not isinstance(properties, dict) or "$lib" in properties:
        return False
    return "token" in properties or has_basic(request) or _find_token(request) is not None


def find_key(request: WireRequest) -> str | None:
    """Return the key of Basic authentication or of the address, if it is one of the platform's.

    Another system's secret, which a team may have left in place, says nothing: then the token of the items is the key.
    A service account's password may be the secret key. Raises WireError (401) for a secret key in the address.
    """
    user, password = read_basic(request)
    for field in _KEY_FIELDS:
        check_address(find_in_address(request, field), field)
    token = _find_token(request) or ""
    return next((key for key in (password, user, token) if key.startswith(_OURS)), None)


def read_request(request: WireRequest) -> Told:
    """Return what a request says; raises WireError when it cannot be read at all."""
    if request.path in _ASKED:
        return Told(items=[], raw=[], key=read_basic(request)[0] or _find_token(request))
    if request.path == _RECORD:
        raise WireError(404, "not_kept", "Recordings of the screen are not kept.")
    parcel = open_parcel(request)
    _check_length(len(parcel.items))
    token = _choose_token(request, parcel)
    around = _look_around(request, parcel)
    items = [_parse(index, item, _MAKE[request.path], around, token) for index, item in enumerate(parcel.items)]
    raw = [item.line if isinstance(item, Unread) else item for item in parcel.items]
    return Told(items=items, raw=raw, key=_choose_key(request, parcel, token))


def parse_item(body: bytes) -> Item | Rejection:
    """Parse one item by what it holds."""
    item = read_any(body)
    fields = item if isinstance(item, dict) else {}
    make = next((make for field, make in _TELLING_FIELDS.items() if field in fields), make_event)
    return _parse(0, item, make, Around(), None)


_TELLING_FIELDS: dict[str, Make] = {"event": make_event, "$group_key": make_group, "$distinct_id": make_identify}


def answer(request: WireRequest, told: Told, receipts: list[Receipt]) -> WireResponse:
    """Give what was asked for, or say what was taken."""
    asked = _ASKED.get(request.path)
    return answer_reports(request, told, receipts) if asked is None else WireResponse(status=200, body=asked)


def _find_token(request: WireRequest) -> str | None:
    return next((found for field in _KEY_FIELDS if (found := find_in_address(request, field))), None)


def _choose_token(request: WireRequest, parcel: Parcel) -> str | None:
    """Return the token that all items must have: the public key beside them, else that of the first."""
    beside = find_key(request)
    if beside is not None and not beside.startswith(SECRET):
        return beside
    return next((token for item in parcel.items if (token := _read_token(item)) is not None), None)


def _choose_key(request: WireRequest, parcel: Parcel, token: str | None) -> str | None:
    """Return the key that the body names: a secret one of its form, else the items' token, else whatever is given.

    Raises WireError (401) where the items are no body but stand in the address, and have a secret key as token.
    """
    given = parcel.fields.get("api_key", b"").decode("utf-8", "replace")
    if given.startswith(SECRET):
        return given
    if parcel.is_in_address:
        check_address(token, "token")
    return token or given or _find_token(request) or read_basic(request)[0] or None


def _read_token(item: Any) -> str | None:
    if not isinstance(item, dict):
        return None
    properties = item.get("properties")
    token = item.get("$token") or (properties.get("token") if isinstance(properties, dict) else None)
    return token if isinstance(token, str) and token else None


def _check_length(length: int) -> None:
    if length == 0:
        raise WireError(400, "no_events", "The list of events is empty.", "data")
    if length > MAX_BATCH:
        raise WireError(413, "too_many_events", f"A request holds at most {MAX_BATCH} events.", "data")


def _look_around(request: WireRequest, parcel: Parcel) -> Around:
    """A page's address has the client's clock at this attempt; `ip=1` asks to note where the request came from."""
    clock = {name: value.decode("utf-8", "replace") for name, value in parcel.fields.items() if name == "_"}
    return Around(
        sent_at=read_time_leniently(clock, "_"),
        address=request.address if asks_for(request, "ip") else None,
        is_batch=parcel.is_batch,
        is_import=request.path == "/import",
    )


def _parse(index: int, item: Any, make: Make, around: Around, expected: str | None) -> Item | Rejection:
    return parse_leniently(index, lambda: _make_item(index, item, make, around, expected))


def _make_item(index: int, item: Any, make: Make, around: Around, expected: str | None) -> Item:
    if isinstance(item, Unread):
        raise Unclear("", "The line is not JSON.", code="invalid_json")
    if not isinstance(item, dict):
        raise Unclear("", "An item must be an object.")
    token = _read_token(item)
    if token is not None and expected is not None and token != expected:
        field = "$token" if "$token" in item else "properties.token"
        raise Unclear(field, "The items of a request must have one token.", code="other_key")
    return make(index, item, around)


MIXPANEL = Dialect(
    name="mixpanel",
    methods=_METHODS,
    read=read_request,
    answer=answer,
    parse_item=parse_item,
    find_key=find_key,
    names_key=True,
    is_meant=is_meant,
    refuse=refuse,
    notes_address=lambda request: asks_for(request, "ip"),
)
