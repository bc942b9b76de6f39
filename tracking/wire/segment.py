"""Segment's HTTP API, which RudderStack's clients speak too: single calls, batches and the browser's short forms. Pure.

An item that cannot be understood fails alone: for a refused request the clients drop the whole batch. The answer is
exactly 200 as soon as anything was taken, or some of them send all of it again.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from engagement.lib.ids import compute_id
from tracking.event import ALIAS, GROUP, IDENTIFY, PAGE_VIEWED, SCREEN_VIEWED, Item, Receipt, Rejection
from tracking.wire.basic import has_basic, read_basic
from tracking.wire.body import inflate, read_whole
from tracking.wire.dialect import Dialect, Parsed, Told
from tracking.wire.fields import (
    Fields,
    Unclear,
    drop_own_names,
    parse_leniently,
    read_id,
    read_moment,
    read_moment_leniently,
    read_name,
    read_object,
)
from tracking.wire.form import find_in_address
from tracking.wire.request import WireError, WireRequest, WireResponse
from tracking.wire.secrets import check_address

MAX_BATCH = 2_500

_BATCH = "batch"
_KINDS_OF_PATHS = {
    f"/v1/{form}": kind
    for kind, forms in {
        "track": ("track", "t"),
        "page": ("page", "p"),
        "screen": ("screen", "s"),
        "identify": ("identify", "i"),
        "group": ("group", "g"),
        "alias": ("alias", "a"),
        _BATCH: ("batch", "b", "import"),
    }.items()
    for form in forms
} | {"/beacon/v1/batch": _BATCH}
"""The last one is where RudderStack's browser library sends its beacons, with the key in the address."""
_SHARED_PATHS = frozenset({"/v1/identify", "/v1/alias"})
_CAMEL_CASE = frozenset({"userId", "anonymousId", "previousId", "writeKey", "messageId"})
_MARKS = tuple(f'"{name}"'.encode() for name in _CAMEL_CASE)
_KEPT_BESIDE_CONTEXT = ("integrations", "channel")
_CHANGES_ON_RETRY = frozenset({"sentAt", "_metadata", "writeKey"})


def is_meant(request: WireRequest) -> bool:
    """Whether a request speaks this dialect: by its path, and where the path is shared by Basic authentication or
    camelCase keys."""
    if request.path not in _SHARED_PATHS:
        return True
    return has_basic(request) or _has_camel_case(inflate(request.body))


def _has_camel_case(body: bytes) -> bool:
    if not any(mark in body for mark in _MARKS):
        return False
    try:
        return not _CAMEL_CASE.isdisjoint(read_whole(body))
    except WireError:
        return False


def find_key(request: WireRequest) -> str | None:
    """Return the user name of Basic authentication, or the write key of the address: a beacon has no header."""
    return read_basic(request)[0] or check_address(find_in_address(request, "writeKey"), "writeKey")


def read_request(request: WireRequest) -> Told:
    """Return what a request says; raises WireError when it cannot be read at all."""
    whole = read_whole(inflate(request.body))
    kind = _KINDS_OF_PATHS[request.path]
    raw = _read_batch(whole) if kind == _BATCH else [whole]
    first = raw[0] if isinstance(raw[0], dict) else {}
    key = whole.get("writeKey") or first.get("writeKey")
    sent_at = read_moment_leniently(whole.get("sentAt"))
    items: Parsed = [_parse(index, item, sent_at, None if kind == _BATCH else kind) for index, item in enumerate(raw)]
    return Told(key=key if isinstance(key, str) else None, items=items, raw=raw)


def parse_item(body: bytes) -> Item | Rejection:
    """Parse one call by its `type`, or, where it names none, by what it holds."""
    return _parse(0, read_whole(body), None, None)


def answer(request: WireRequest, told: Told, receipts: list[Receipt]) -> WireResponse:
    """Say what was taken; the clients look at the status only."""
    rejected = [receipt for receipt in receipts if receipt.outcome == "rejected"]
    is_taken = len(rejected) < len(receipts)
    body = {"success": is_taken} | ({"rejected": rejected} if rejected else {})
    return WireResponse(status=200 if is_taken else 400, body=body)


def _read_batch(whole: Fields) -> list[Any]:
    batch = whole.get(_BATCH)
    if not isinstance(batch, list):
        raise WireError(400, "invalid_field", "Give the events as a list.", _BATCH)
    if not batch:
        raise WireError(400, "no_events", "The list of events is empty.", _BATCH)
    if len(batch) > MAX_BATCH:
        raise WireError(413, "too_many_events", f"A request holds at most {MAX_BATCH} events.", _BATCH)
    return batch


def _parse(index: int, fields: Any, sent_at: datetime | None, kind: str | None) -> Item | Rejection:
    return parse_leniently(index, lambda: _make_item(index, fields, sent_at, kind))


def _make_item(index: int, fields: Any, sent_at: datetime | None, kind: str | None) -> Item:
    if not isinstance(fields, dict):
        raise Unclear("", "An item must be an object.")
    describe = _KINDS.get(kind or _find_kind(fields))
    if describe is None:
        raise Unclear("type", f"The type must be one of {', '.join(_KINDS)}.")
    name, properties = describe(fields)
    timestamp = read_moment(fields, "originalTimestamp") or read_moment(fields, "timestamp")
    return Item(
        index=index,
        name=name,
        user_id=read_id(fields, "userId"),
        anonymous_id=read_id(fields, "anonymousId"),
        message_id=read_id(fields, "messageId") or _make_message_id(fields, timestamp),
        timestamp=timestamp,
        sent_at=read_moment_leniently(fields.get("sentAt")) or sent_at,
        properties=properties,
        context=_read_context(fields),
    )


def _find_kind(fields: Fields) -> str:
    """A single call on a path of its own names no type: what is kept of it is told by its fields."""
    kind = fields.get("type")
    if kind is None:
        return next((kind for field, kind in _TELLING_FIELDS.items() if field in fields), "")
    return kind if isinstance(kind, str) else ""


def _describe_track(fields: Fields) -> tuple[str, dict[str, Any]]:
    return read_name(fields, "event"), read_object(fields, "properties")


def _describe_view(name: str) -> Callable[[Fields], tuple[str, dict[str, Any]]]:
    def describe(fields: Fields) -> tuple[str, dict[str, Any]]:
        told = {key: fields[key] for key in ("name", "category") if fields.get(key) is not None}
        return name, read_object(fields, "properties") | told

    return describe


def _describe_identify(fields: Fields) -> tuple[str, dict[str, Any]]:
    # RudderStack's clients put the traits into the context, some of them into both.
    inner = read_object(read_object(fields, "context"), "traits")
    return IDENTIFY, {"traits": inner | read_object(fields, "traits")}


def _describe_group(fields: Fields) -> tuple[str, dict[str, Any]]:
    group_id = read_id(fields, "groupId")
    if group_id is None:
        raise Unclear("groupId", "Give the group's id.")
    return GROUP, {"group_id": group_id, "traits": read_object(fields, "traits")}


def _describe_alias(fields: Fields) -> tuple[str, dict[str, Any]]:
    previous_id = read_id(fields, "previousId")
    if previous_id is None:
        raise Unclear("previousId", "Give the former id.")
    return ALIAS, {"previous_id": previous_id}


_KINDS: dict[str, Callable[[Fields], tuple[str, dict[str, Any]]]] = {
    "track": _describe_track,
    "page": _describe_view(PAGE_VIEWED),
    "screen": _describe_view(SCREEN_VIEWED),
    "identify": _describe_identify,
    "group": _describe_group,
    "alias": _describe_alias,
}
_TELLING_FIELDS = {"event": "track", "previousId": "alias", "groupId": "group", "traits": "identify", "name": "page"}


def _read_context(fields: Fields) -> dict[str, Any]:
    beside = {name: fields[name] for name in _KEPT_BESIDE_CONTEXT if fields.get(name)}
    return drop_own_names(read_object(fields, "context") | beside)


def _make_message_id(fields: Fields, timestamp: datetime | None) -> str | None:
    """A call with its own time and no id is the same call when it comes again; without a time nothing tells."""
    if timestamp is None:
        return None
    lasting = {name: value for name, value in fields.items() if name not in _CHANGES_ON_RETRY}
    return compute_id("segment", msgspec.json.encode(lasting, order="deterministic").decode()).hex


SEGMENT = Dialect(
    name="segment",
    methods=dict.fromkeys(_KINDS_OF_PATHS, ("POST",)),
    read=read_request,
    answer=answer,
    parse_item=parse_item,
    find_key=find_key,
    names_key=True,
    is_meant=is_meant,
)
