"""Our own formats: `/track-event`, `/v1/events`, `/v1/identify`, `/v1/alias`. Pure."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec

from tracking.event import ALIAS, Item, Receipt, Rejection
from tracking.schema.validate import MAX_BATCH, needs_look
from tracking.wire.body import check_values, inflate
from tracking.wire.dialect import Dialect, Parsed, Told
from tracking.wire.mending import prune
from tracking.wire.native_items import (
    AliasIn,
    BatchIn,
    EventIn,
    IdentifyIn,
    Moment,
    RawBatchIn,
    describe_error,
    make_identify,
    make_item,
    read_id,
)
from tracking.wire.request import WireError, WireRequest, WireResponse

SNIPPET_PATH = "/track-event"

_FORBIDDEN = frozenset({"reserved_event", "server_only", "user_hash_required", "user_hash_wrong"})
_OWN_KEYS = ("event", "user_hash", "user_id", "anonymous_id", "message_id", "timestamp", "sent_at", "context")
_event_decoder = msgspec.json.Decoder(EventIn)
_batch_decoder = msgspec.json.Decoder(BatchIn)
_raw_batch_decoder = msgspec.json.Decoder(RawBatchIn)
_object_decoder = msgspec.json.Decoder(dict[str, Any])
_identify_decoder = msgspec.json.Decoder(IdentifyIn)
_alias_decoder = msgspec.json.Decoder(AliasIn)


def parse_snippet(body: bytes) -> Parsed:
    """Parse `/track-event`: every key but the event's own is a property; a `properties` object is merged in."""
    try:
        whole = _decode(_object_decoder.decode, body)
        return [make_item(0, _gather_properties(whole), None)]
    except msgspec.ValidationError as error:
        return [describe_error(0, error)]


def _gather_properties(whole: dict[str, Any]) -> EventIn:
    own = {key: whole.pop(key) for key in _OWN_KEYS if key in whole}
    nested = whole.get("properties")
    if isinstance(nested, dict):
        del whole["properties"]
        whole = nested | whole
    return msgspec.convert(own | {"properties": whole}, EventIn)


def read_events(body: bytes) -> Told:
    """Read `/v1/events`: one event, or `{"sent_at", "events": [...]}` with up to 1,000.

    Among them an item with `traits` and no event is an identify, so that it keeps its place in the order.
    """
    try:
        batch = _batch_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_one_by_one(body)
    _check_length(len(batch.events))
    items = [make_item(index, event, batch.sent_at) for index, event in enumerate(batch.events)]
    return Told(items=items, raw=_Pieces(body))


def parse_any(body: bytes) -> Parsed:
    """Parse one item by what it holds: an event, else an identify (`traits`) or an alias (`previous_id`)."""
    try:
        whole = _decode(_object_decoder.decode, body)
    except msgspec.ValidationError as error:
        return [describe_error(0, error)]
    if "event" not in whole and "previous_id" in whole:
        return parse_alias(body)
    return parse_identify(body) if "event" not in whole and "traits" in whole else parse_snippet(body)


def parse_identify(body: bytes) -> Parsed:
    """Parse `/v1/identify`: a user's traits, and the anonymous id that they had before."""
    try:
        return [make_identify(0, _decode(_identify_decoder.decode, body), None)]
    except msgspec.ValidationError as error:
        return [describe_error(0, error)]


def parse_alias(body: bytes) -> Parsed:
    """Parse `/v1/alias`: `previous_id` (anonymous, or known with a secret key) is the same person as `user_id`."""
    try:
        told = _decode(_alias_decoder.decode, body)
    except msgspec.ValidationError as error:
        return [describe_error(0, error)]
    previous_id = read_id(told.previous_id)
    if not previous_id:
        message = "Give the id that the person had before."
        return [Rejection(index=0, code="identity_required", field="previous_id", message=message)]
    item = Item(
        index=0,
        name=ALIAS,
        user_id=read_id(told.user_id),
        message_id=read_id(told.message_id),
        timestamp=told.timestamp,
        sent_at=told.sent_at,
        user_hash=told.user_hash,
        properties={"previous_id": previous_id},
    )
    return [item]


class _Pieces(Sequence[msgspec.Raw]):
    """A batch's items as they came, cut once somebody asks: of most batches nothing is refused."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    @cached_property
    def _events(self) -> list[msgspec.Raw]:
        return _split(self._body).events

    def __len__(self) -> int:
        return len(self._events)

    def __getitem__(self, index: Any) -> Any:
        return self._events[index]


def _read_one_by_one(body: bytes) -> Told:
    if b'"events"' not in body:
        return Told(items=_parse_event(body), raw=(body,))
    try:
        batch = _split(body)
    except msgspec.ValidationError as error:
        return Told(items=_parse_single_event(body, error), raw=(body,))
    _check_length(len(batch.events))
    items = [_parse_raw(index, raw, batch.sent_at) for index, raw in enumerate(batch.events)]
    return Told(items=items, raw=batch.events)


def _parse_event(body: bytes) -> Parsed:
    try:
        return [make_item(0, _decode(_event_decoder.decode, body), None)]
    except msgspec.ValidationError as error:
        return [describe_error(0, error)]


def _split(body: bytes) -> RawBatchIn:
    """Cut a batch into its items.

    Half a surrogate pair, or NaN, makes the strict parser refuse the whole body, and so does what is nested too deep;
    the lenient one passes it on, so that it fails only the item that holds it.
    """
    try:
        return _raw_batch_decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, RecursionError) as error:
        try:
            whole = json.loads(prune(body))
            raw = [msgspec.Raw(json.dumps(item).encode()) for item in whole["events"]]
            return RawBatchIn(events=raw, sent_at=msgspec.convert(whole.get("sent_at"), Moment | None))
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            raise WireError(400, "invalid_json", f"The body is not valid JSON in UTF-8: {error}.") from None
    except UnicodeDecodeError as error:
        raise WireError(400, "invalid_json", f"The body is not valid JSON in UTF-8: {error}.") from None


def _parse_single_event(body: bytes, batch_error: msgspec.ValidationError) -> Parsed:
    """A single event may hold the word "events" too, as a property."""
    try:
        return [make_item(0, _event_decoder.decode(body), None)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        described = describe_error(0, batch_error)
        raise WireError(400, described.code, described.message, described.field) from None


def _parse_raw(index: int, raw: msgspec.Raw, sent_at: datetime | None) -> Item | Rejection:
    try:
        if b'"traits"' in bytes(raw) and _is_identify(raw):
            return make_identify(index, _identify_decoder.decode(raw), sent_at)
        return make_item(index, _event_decoder.decode(raw), sent_at)
    except msgspec.ValidationError as error:
        return describe_error(index, error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        message = "The item is not valid JSON, is nested too deep, or holds half of a surrogate pair."
        return Rejection(index=index, code="invalid_json", message=message)


def _decode(decode: Callable[[bytes], Any], body: bytes) -> Any:
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        if _is_object(body):
            raise
        raise WireError(400, "invalid_json", f"The body must be a JSON object: {error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError(400, "invalid_json", f"The body is not valid JSON in UTF-8: {error}.") from None
    except RecursionError:
        raise WireError(400, "too_deep", "The body is nested too deep.") from None


def _is_object(body: bytes) -> bool:
    return body.lstrip()[:1] == b"{"


def _is_identify(raw: msgspec.Raw) -> bool:
    whole = _object_decoder.decode(raw)
    return "traits" in whole and "event" not in whole


def _check_length(length: int) -> None:
    if length > MAX_BATCH:
        message = f"A request holds at most {MAX_BATCH} events; this one holds {length}."
        raise WireError(413, "too_many_events", message, "events")
    if length == 0:
        raise WireError(400, "no_events", "The list of events is empty.", "events")


_PARSERS: dict[str, Callable[[bytes], Parsed]] = {
    SNIPPET_PATH: parse_snippet,
    "/v1/identify": parse_identify,
    "/v1/alias": parse_alias,
}


def read_request(request: WireRequest) -> Told:
    """Return what a request says; raises WireError when it cannot be read at all."""
    body = inflate(request.body)
    check_values(body)
    parse = _PARSERS.get(request.path)
    return Told(items=parse(body), raw=(body,)) if parse is not None else read_events(body)


def answer(request: WireRequest, told: Told, receipts: list[Receipt]) -> WireResponse:
    """Give a receipt for each item; 202 as soon as one of them was taken."""
    return WireResponse(status=_choose_status(receipts), body={"results": receipts})


def cut_item(request: WireRequest, told: Told, index: int) -> bytes:
    """Return an item as it came."""
    return bytes(told.raw[index])


def _needs_look(request: WireRequest, told: Told) -> bool:
    return needs_look(inflate(request.body), told.items)


def _choose_status(receipts: list[Receipt]) -> int:
    if any(receipt.outcome != "rejected" for receipt in receipts):
        return 202
    return 403 if all(receipt.code in _FORBIDDEN for receipt in receipts) else 400


NATIVE = Dialect(
    name="native",
    methods=dict.fromkeys((*_PARSERS, "/v1/events"), ("POST",)),
    read=read_request,
    answer=answer,
    parse_item=lambda body: parse_any(body)[0],
    cut=cut_item,
    needs_look=_needs_look,
)
