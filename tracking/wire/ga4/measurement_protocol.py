"""GA4's Measurement Protocol: what servers and apps send to `/mp/collect`. Pure.

A request is cut into one small request for each event, which is what quarantine keeps and `parse_item` reads again.
User properties are told before the events, as `$identify`.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import msgspec

from tracking.event import IDENTIFY, PAGE_VIEWED, Item, Receipt, Rejection
from tracking.schema.validate import MAX_BATCH
from tracking.wire.body import MAX_INFLATED, inflate, read_whole
from tracking.wire.dialect import Dialect, Parsed, Told
from tracking.wire.fields import Fields, Unclear, parse_leniently, read_id, read_name, read_object
from tracking.wire.ga4.cause import compute_hash, read_own_id
from tracking.wire.ga4.names import OUR_NAMES, PAGE_PARAMS, RESERVED_PREFIXES, is_reserved_event
from tracking.wire.ga4.validation import BACKDATED, list_messages
from tracking.wire.pages import describe_page
from tracking.wire.request import WireError, WireRequest, WireResponse
from tracking.wire.secrets import SECRET, check_address

COLLECT, VALIDATE = "/mp/collect", "/debug/mp/collect"

_STREAMS = ("measurement_id", "firebase_app_id")
_OURS = (SECRET, "wk_")
_CONTEXT = ("consent", "device", "user_location", "ip_override", "non_personalized_ads")
_SHARED = ("client_id", "app_instance_id", "user_id", "timestamp_micros", "validation_behavior", *_CONTEXT)
"""What is told once for all events. The rest of an envelope, `user_data` above all, is not kept."""
_SAYS_NOTHING = frozenset({"validation_behavior"})
_STRICT = "ENFORCE_RECOMMENDATIONS"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def find_key(request: WireRequest) -> str | None:
    """Return the key of the address; one in a header comes before it.

    A key of ours says more than the id of the stream, which anybody can see. A secret of Google's says nothing here.
    For `api_secret` clients know no other place than the address; raises WireError (401) for a secret key elsewhere.
    """
    if "authorization" in request.headers:
        return None
    given = parse_qs(request.query)
    stream = next((check_address(given[name][0], name) for name in _STREAMS if name in given), None)
    secret = given.get("api_secret", [""])[0]
    if secret.startswith(_OURS):
        return secret
    return stream or secret or None


def read_request(request: WireRequest) -> Told:
    """Return what a request says, nothing where it only asks to be validated; raises WireError."""
    if request.path == VALIDATE:
        return Told(items=[], raw=())
    raw = _cut(read_whole(inflate(request.body)))
    return Told(items=_parse_all(raw, request.received_at), raw=raw)


def parse_item(body: bytes) -> Item | Rejection:
    """Parse a request that holds one event or, without events, user properties."""
    return _parse(0, read_whole(body), None, Counter())


def answer(request: WireRequest, told: Told, receipts: list[Receipt]) -> WireResponse:
    """Answer with nothing, as Google does: what was refused is in quarantine. A validation has its messages."""
    if request.path == VALIDATE:
        return WireResponse(status=200, body={"validationMessages": _validate(request)})
    return WireResponse(status=204)


def _validate(request: WireRequest) -> Sequence[Any]:
    try:
        body = inflate(request.body)
        return list_messages(read_whole(body), len(body), request.received_at)
    except WireError as error:
        return [{"fieldPath": "", "description": error.message, "validationCode": "VALUE_INVALID"}]


def _cut(whole: dict[str, Any]) -> list[dict[str, Any]]:
    # ga4mp's postponed_send() gives its one event bare.
    events = whole.pop("events", None) or []
    events = [events] if isinstance(events, dict) else events
    if not isinstance(events, list):
        raise WireError(400, "invalid_field", "Give the events as a list.", "events")
    if len(events) > MAX_BATCH:
        raise WireError(413, "too_many_events", f"A request holds at most {MAX_BATCH} events.", "events")
    traits = whole.pop("user_properties", None)
    if not events and not traits:
        raise WireError(400, "no_events", "The list of events is empty.", "events")
    shared = {field: whole[field] for field in _SHARED if field in whole}
    if len(msgspec.json.encode(shared)) * len(events) > MAX_INFLATED:
        message = f"What all events of a request share may come to {MAX_INFLATED} bytes in all of them."
        raise WireError(413, "body_too_large", message)
    identify = [shared | {"user_properties": traits}] if traits else []
    return identify + [shared | {"events": [event]} for event in events]


def _parse_all(raw: Sequence[Fields], received_at: datetime | None) -> Parsed:
    seen: Counter[str] = Counter()
    return [_parse(index, told, received_at, seen) for index, told in enumerate(raw)]


def _parse(index: int, told: Fields, received_at: datetime | None, seen: Counter[str]) -> Item | Rejection:
    return parse_leniently(index, lambda: _make_item(index, told, received_at, seen))


def _make_item(index: int, told: Fields, received_at: datetime | None, seen: Counter[str]) -> Item:
    event = _read_event(told)
    timestamp = _read_micros(event) or _read_micros(told)
    if timestamp and received_at and told.get("validation_behavior") == _STRICT and timestamp < received_at - BACKDATED:
        raise Unclear("timestamp_micros", "The time lies more than 72 hours back.", code="timestamp_out_of_range")
    name = read_name(event, "name") if event else IDENTIFY
    params = read_object(event, "params")
    return Item(
        index=index,
        name=OUR_NAMES.get(name, name),
        user_id=read_id(told, "user_id"),
        anonymous_id=read_id(told, "client_id") or read_id(told, "app_instance_id"),
        message_id=read_own_id(name, params) or _make_message_id(told, timestamp, seen),
        timestamp=timestamp,
        properties=_name_properties(name, params) if event else {"traits": _read_traits(told)},
        context=_read_context(told, name, params),
    )


def _read_event(told: Fields) -> Fields:
    """Return the one event of a request, an empty one where it has only user properties."""
    events = told.get("events")
    if not events:
        return {}
    event = events[0] if isinstance(events, list) else events
    if not isinstance(event, dict) or not event:
        raise Unclear("events", "An event must be an object with a name.")
    return event


def _read_micros(fields: Fields) -> datetime | None:
    """Return `timestamp_micros`: a whole number, often as text, of microseconds since 1970."""
    value = fields.get("timestamp_micros")
    if value is None or value == "":
        return None
    try:
        return _EPOCH + timedelta(microseconds=int(value))
    except (TypeError, ValueError, OverflowError):
        raise Unclear("timestamp_micros", "A time must be a whole number of microseconds since 1970.") from None


def _read_traits(told: Fields) -> dict[str, Any]:
    given = read_object(told, "user_properties")
    return {name: value.get("value") if isinstance(value, dict) else value for name, value in given.items()}


def _name_properties(name: str, params: Fields) -> dict[str, Any]:
    kept = {param: value for param, value in params.items() if param != "session_id"}
    if OUR_NAMES.get(name) != PAGE_VIEWED:
        return kept
    return describe_page(*(kept.pop(param, None) for param in PAGE_PARAMS)) | kept


def _read_context(told: Fields, name: str, params: Fields) -> dict[str, Any]:
    context = {field: told[field] for field in _CONTEXT if told.get(field) is not None}
    if "session_id" in params:
        context["session_id"] = str(params["session_id"])
    reserved = [param for param in params if param.startswith(RESERVED_PREFIXES)]
    if is_reserved_event(name):
        reserved.append(name)
    return context | ({"reserved_names": reserved} if reserved else {})


def _make_message_id(told: Fields, timestamp: datetime | None, seen: Counter[str]) -> str | None:
    """An item with a time of its own is the same item when it comes again; without a time nothing tells.

    The same twice in one request was done twice: the second gets another id, the same one each time.
    """
    if timestamp is None:
        return None
    lasting = {field: value for field, value in told.items() if field not in _SAYS_NOTHING}
    message_id = compute_hash(lasting)
    seen[message_id] += 1
    return message_id if seen[message_id] == 1 else f"{message_id}-{seen[message_id]}"


GA4 = Dialect(
    name="ga4",
    methods={COLLECT: ("POST",), VALIDATE: ("POST",)},
    read=read_request,
    answer=answer,
    parse_item=parse_item,
    find_key=find_key,
)
