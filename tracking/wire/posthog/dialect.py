"""PostHog's capture API: what its libraries send to `/batch/`, `/e/` and the like, and what they ask to start. Pure.

The answer is exactly 200 as soon as anything was taken, or posthog-python and posthog-js send all of it again. A 429
would be final for posthog-js, which drops what any 4xx refuses: it is told 503 and comes back.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from tracking.event import Item, Receipt, Rejection
from tracking.wire.body import MAX_INFLATED, read_whole
from tracking.wire.dialect import Dialect, Parsed, Told
from tracking.wire.fields import read_moment_leniently
from tracking.wire.posthog.events import cut_event, is_wanted, parse_event
from tracking.wire.posthog.packing import unpack
from tracking.wire.posthog.start import describe_config, describe_flags, write_config_script
from tracking.wire.request import WireError, WireRequest, WireResponse

MAX_BATCH = 2_500

_CONFIG, _CONFIG_SCRIPT = "/array/{key}/config", "/array/{key}/config.js"
_FLAGS = frozenset({"/flags", "/decide"})
_CAPTURES = ("/batch", "/e", "/capture", "/i/v0/e")
_KEY_FIELDS = ("api_key", "token")
_START = "/array/"
_SECRET = "sk_"
_FRESH = {"Cache-Control": "max-age=300", "Vary": "Origin"}
"""Whose page may read it is part of the answer: what is kept of it for nobody in particular would be for no page."""


def find_key(request: WireRequest) -> str | None:
    """Return the key that stands in the address of a configuration; raises WireError (401) for a secret one."""
    if not request.path.startswith(_START):
        return None
    key = request.path.split("/")[2]
    if key.startswith(_SECRET):
        message = "A secret key must not stand in a page or an address: give the write key, and replace this one."
        raise WireError(401, "secret_key_in_url", message, "key")
    return key


def read_request(request: WireRequest) -> Told:
    """Return what a request says, nothing where it only asks; raises WireError when it cannot be read at all."""
    if request.path.startswith(_START):
        return Told(items=[], raw=())
    whole = unpack(request.body)
    if request.path in _FLAGS:
        return Told(items=[], raw=(), key=_find_key([whole]))
    events = _read_batch(whole)
    raw = [part for event in events if is_wanted(event) for part in cut_event(event)]
    sent_at = read_moment_leniently(whole.get("sent_at"))
    is_import = whole.get("historical_migration") is True
    items: Parsed = [parse_event(index, part, sent_at, is_import) for index, part in enumerate(raw)]
    return Told(items=items, raw=raw, key=_find_key([whole, *events]))


def parse_item(body: bytes) -> Item | Rejection:
    """Parse one event."""
    return parse_event(0, read_whole(body), None, is_import=False)


def answer(request: WireRequest, told: Told, receipts: list[Receipt]) -> WireResponse:
    """Say what was taken, or what was asked for."""
    if request.path in _FLAGS:
        return WireResponse(status=200, body=describe_flags())
    if request.path.startswith(_START):
        return _answer_start(request)
    rejected = [receipt for receipt in receipts if receipt.outcome == "rejected"]
    is_taken = not receipts or len(rejected) < len(receipts)
    body = {"status": int(is_taken)} | ({"rejected": rejected} if rejected else {})
    return WireResponse(status=200 if is_taken else 400, body=body)


def refuse(request: WireRequest, error: WireError) -> WireResponse:
    """Say why the whole request is refused: to posthog-python in the `detail` that it shows."""
    refusal = error.answer({})
    status = 503 if error.status == 429 else error.status
    return msgspec.structs.replace(refusal, status=status, body=refusal.body | {"detail": error.message})


def _answer_start(request: WireRequest) -> WireResponse:
    key = find_key(request) or ""
    if not request.path.endswith(".js"):
        return WireResponse(status=200, body=describe_config(key), headers=_FRESH)
    script = write_config_script(key)
    return WireResponse(status=200, body=script, content_type="text/javascript; charset=utf-8", headers=_FRESH)


def _read_batch(whole: Mapping[str, Any]) -> list[Any]:
    if "batch" not in whole:
        return [{name: value for name, value in whole.items() if name not in _KEY_FIELDS}]
    batch = whole["batch"]
    if not isinstance(batch, list):
        raise WireError(400, "invalid_field", "Give the events as a list.", "batch")
    if not batch:
        raise WireError(400, "no_events", "The list of events is empty.", "batch")
    if len(batch) > MAX_BATCH:
        raise WireError(413, "too_many_events", f"A request holds at most {MAX_BATCH} events.", "batch")
    return batch


def _find_key(told: list[Any]) -> str | None:
    """Return the key of the whole or of the first event that names one, where older libraries put it."""
    for holder in told:
        properties = holder.get("properties") if isinstance(holder, dict) else None
        for place in (holder, properties):
            found = [place[name] for name in _KEY_FIELDS if name in place] if isinstance(place, dict) else []
            if found and isinstance(found[0], str):
                return found[0]
    return None


POSTHOG = Dialect(
    name="posthog",
    methods={
        **dict.fromkeys((*_CAPTURES, *sorted(_FLAGS)), ("POST",)),
        **dict.fromkeys((_CONFIG, _CONFIG_SCRIPT), ("GET",)),
    },
    read=read_request,
    answer=answer,
    parse_item=parse_item,
    find_key=find_key,
    names_key=True,
    refuse=refuse,
    max_body=MAX_INFLATED,
)
