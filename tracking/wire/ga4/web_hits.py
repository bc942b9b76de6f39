"""GA4's web hits: what gtag and its like send to `/g/collect`. Pure.

One event stands in the address alone; several are lines of the body, and share what the address says. Browsers send
them as beacons, without asking first and without reading the answer. Anybody can see the only key that they show.
"""

import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from tracking.event import IDENTIFY, PAGE_VIEWED, Item, Receipt, Rejection
from tracking.schema.validate import MAX_BATCH
from tracking.wire.body import MAX_INFLATED, MAX_VALUES, inflate, read_whole
from tracking.wire.dialect import Dialect, Parsed, Told
from tracking.wire.fields import Fields, Unclear, parse_leniently, read_id, read_name
from tracking.wire.ga4.cause import compute_hash, read_own_id
from tracking.wire.ga4.names import OUR_NAMES
from tracking.wire.pages import describe_page
from tracking.wire.request import WireError, WireRequest, WireResponse
from tracking.wire.secrets import check_address

COLLECT = "/g/collect"

_PARAM, _NUMBER, _USER, _USER_NUMBER = "ep.", "epn.", "up.", "upn."
_PRODUCT = re.compile(r"pr\d{1,3}")
_CUSTOM = re.compile(r"k\d")
_DECIMAL = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_EXACT = 2**53
_TILDE = re.compile(r"(?<!~)~(?!~)")
_TELLS_A_HIT = ("cid", "_p", "_s")

_PAGE = ("dl", "dt", "dr")
_CONTEXT = {
    "sid": "session_id",
    "sct": "session_number",
    "ul": "locale",
    "sr": "screen",
    "gcs": "consent",
    "user_agent": "userAgent",
}
_PROPERTIES = {"_et": "engagement_time_msec", "cu": "currency"}
_ITEM_FIELDS = {
    "id": "item_id",
    "nm": "item_name",
    "br": "item_brand",
    "va": "item_variant",
    "ca": "item_category",
    "c2": "item_category2",
    "c3": "item_category3",
    "c4": "item_category4",
    "c5": "item_category5",
    "pr": "price",
    "qt": "quantity",
    "cp": "coupon",
    "ds": "discount",
    "lp": "index",
    "li": "item_list_id",
    "ln": "item_list_name",
    "af": "affiliation",
    "lo": "location_id",
    "pi": "promotion_id",
    "pn": "promotion_name",
    "cn": "creative_name",
    "cs": "creative_slot",
}
_ITEM_NUMBERS = frozenset({"pr", "qt", "ds", "lp"})


def find_key(request: WireRequest) -> str | None:
    """Return the id of the stream: the source's write key, or Google's id that was made a key of the source.

    Raises WireError (401) for a secret key.
    """
    return check_address(_read_query(request.query).get("tid"), "tid")


def read_request(request: WireRequest) -> Told:
    """Return what a request says; raises WireError when it cannot be read at all."""
    shared = _read_query(request.query)
    agent = request.headers.get("user-agent")
    if agent:
        shared["user_agent"] = agent
    lines = _split_lines(inflate(request.body))
    if len(shared) * len(lines) > MAX_VALUES or len(request.query) * len(lines) > MAX_INFLATED:
        message = f"What all lines share may come to {MAX_VALUES} values, or {MAX_INFLATED} bytes, in all of them."
        raise WireError(413, "too_many_values", message)
    hits = [shared | _read_parameters(line) | {"_line": str(number)} for number, line in enumerate(lines)]
    raw = [part for hit in hits or [shared] for part in _cut(hit)]
    items: Parsed = [_parse(index, hit) for index, hit in enumerate(raw)]
    return Told(items=items, raw=raw)


def parse_item(body: bytes) -> Item | Rejection:
    """Parse one hit: an object of its parameters, all of them text."""
    return _parse(0, read_whole(body))


def answer(request: WireRequest, told: Told, receipts: list[Receipt]) -> WireResponse:
    """Answer with nothing: nobody reads it. What was refused is in quarantine."""
    return WireResponse(status=204)


def _split_lines(body: bytes) -> list[str]:
    # Each escaped character costs as much as a value while it is read.
    if body.count(b"&") + body.count(b"\n") + body.count(b"%") > MAX_VALUES:
        raise WireError(413, "too_many_values", f"A request holds at most {MAX_VALUES} values.")
    lines = [line for line in body.decode("utf-8", "replace").split("\n") if line.strip()]
    if len(lines) > MAX_BATCH:
        raise WireError(413, "too_many_events", f"A request holds at most {MAX_BATCH} events.")
    return lines


def _read_query(query: str) -> dict[str, str]:
    """Servers hand on the raw bytes of an address as Latin-1 (PEP 3333)."""
    if query.isascii():
        return _read_parameters(query)
    try:
        return _read_parameters(query.encode("latin-1").decode())
    except UnicodeError:
        return _read_parameters(query)


def _read_parameters(text: str) -> dict[str, str]:
    """Return parameters as text without U+0000; of one that comes twice the last."""
    pairs = parse_qsl(text.strip().replace("%00", ""), keep_blank_values=True)
    return {name.replace("\0", ""): value.replace("\0", "") for name, value in pairs}


def _cut(hit: dict[str, str]) -> list[dict[str, str]]:
    """Return what a hit tells of its user, if anything, and what it tells of an event."""
    user = {name: value for name, value in hit.items() if name.startswith((_USER, _USER_NUMBER))}
    if not user:
        return [hit]
    event = {name: value for name, value in hit.items() if name not in user}
    return [{name: value for name, value in hit.items() if not _is_of_event(name)}, event]


def _is_of_event(name: str) -> bool:
    return name == "en" or name.startswith((_PARAM, _NUMBER)) or _PRODUCT.fullmatch(name) is not None


def _parse(index: int, hit: Fields) -> Item | Rejection:
    return parse_leniently(index, lambda: _make_item(index, hit))


def _make_item(index: int, hit: Fields) -> Item:
    if not all(isinstance(value, str) for value in hit.values()):
        raise Unclear("", "The parameters of a hit are text.")
    traits = _read_named(hit, _USER, _USER_NUMBER)
    name = IDENTIFY if traits and "en" not in hit else read_name(hit, "en")
    properties = {"traits": traits} if name == IDENTIFY else _read_properties(hit, name)
    return Item(
        index=index,
        name=OUR_NAMES.get(name, name),
        user_id=read_id(hit, "uid"),
        anonymous_id=read_id(hit, "cid"),
        message_id=read_own_id(name, properties) or _make_message_id(hit),
        properties=properties,
        context=_read_context(hit),
    )


def _read_named(hit: Mapping[str, str], text: str, number: str) -> dict[str, Any]:
    told: dict[str, Any] = {name[len(text) :]: value for name, value in hit.items() if name.startswith(text)}
    return told | {name[len(number) :]: _read_number(hit[name]) for name in hit if name.startswith(number)}


def _read_number(text: str) -> int | float | str:
    """Return a number; text that is none stays text."""
    if not _DECIMAL.fullmatch(text):
        return text
    number = float(text)
    if not math.isfinite(number):
        return text
    return int(number) if number.is_integer() and abs(number) < _EXACT else number


def _read_properties(hit: Mapping[str, str], name: str) -> dict[str, Any]:
    page = _read_page(hit) if OUR_NAMES.get(name) == PAGE_VIEWED else {}
    named = {ours: _read_number(hit[theirs]) for theirs, ours in _PROPERTIES.items() if hit.get(theirs)}
    products = [_read_product(hit[name]) for name in hit if _PRODUCT.fullmatch(name)]
    return page | named | _read_named(hit, _PARAM, _NUMBER) | ({"items": products} if products else {})


def _read_page(hit: Mapping[str, str]) -> dict[str, Any]:
    return describe_page(*(hit.get(name) for name in _PAGE))


def _read_product(text: str) -> dict[str, Any]:
    """Return a product: fields parted by tildes, two letters each before their value; k0, v0, ... name others."""
    fields = {field[:2]: field[2:].replace("~~", "~") for field in _TILDE.split(text) if len(field) >= 2}
    others = {value: fields.get(f"v{name[1]}", "") for name, value in fields.items() if _CUSTOM.fullmatch(name)}
    known = {
        ours: _read_number(fields[theirs]) if theirs in _ITEM_NUMBERS else fields[theirs]
        for theirs, ours in _ITEM_FIELDS.items()
        if theirs in fields
    }
    return others | known


def _read_context(hit: Mapping[str, str]) -> dict[str, Any]:
    page = _read_page(hit)
    context: dict[str, Any] = {ours: hit[theirs] for theirs, ours in _CONTEXT.items() if hit.get(theirs)}
    return context | ({"page": page} if page else {})


def _make_message_id(hit: Fields) -> str | None:
    """A browser sends a beacon again when its connection died: byte by byte the same.

    What is done again is another hit: its number on the page, or the id of the page, has changed. A client that sends
    neither is believed each time.
    """
    if not all(hit.get(name) for name in _TELLS_A_HIT):
        return None
    return compute_hash(hit)


GA4_WEB = Dialect(
    name="ga4_web",
    methods={COLLECT: ("GET", "POST")},
    read=read_request,
    answer=answer,
    parse_item=parse_item,
    find_key=find_key,
)
