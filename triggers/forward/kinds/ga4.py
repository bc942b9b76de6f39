"""Google Analytics 4 by the Measurement Protocol: one request is about one person and holds up to 25 events.

It answers 204 to whatever it is sent, so what it makes of an event is seen only there, and in a test, for which it has
an address that does answer.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, ClassVar
from urllib.parse import urlencode

import msgspec

from tracking.wire.ga4.names import is_reserved_event
from triggers.forward.copies import Copy, What
from triggers.forward.kinds.base import Kind, Parcel, Reply, Result, Verdict, cut, encode, judge_status, split_lanes

MOST_EVENTS, MOST_PARAMS, MOST_NAME, MOST_VALUE = 25, 25, 40, 100
MOST_PROPERTY_NAME, MOST_PROPERTY_VALUE = 24, 36
_MOST_ITEMS, _MOST_ITEM_PARAMS = 200, 27
_MOST_BYTES = 120_000
_FOREIGN = re.compile(r"[^A-Za-z0-9_]")


class GoogleAnalytics(Kind, frozen=True, kw_only=True):
    """A web stream: its measurement id, and an API secret made for it."""

    SECRETS: ClassVar[tuple[str, ...]] = ("api_secret",)

    measurement_id: str
    api_secret: str
    endpoint: str = "https://www.google-analytics.com"

    def pack(self, copies: Sequence[Copy]) -> list[list[Parcel]]:
        """Return a strand for each lane."""
        return [[self._wrap("/mp/collect", piece) for piece in _cut_people(lane)] for lane in split_lanes(copies)]

    def pack_trial(self, copy: Copy) -> Parcel:
        """Return the request to the address that checks and records nothing."""
        return self._wrap("/debug/mp/collect", [(copy, _encode_event(copy))])

    def judge_trial(self, parcel: Parcel, reply: Reply, now: datetime) -> Verdict:
        """Return what Google found; its answer is 200 either way."""
        verdict = judge_status(reply, now)
        if verdict.result is not Result.SENT:
            return verdict
        try:
            found = msgspec.json.decode(reply.body, type=_Validation).messages
        except msgspec.DecodeError:
            return Verdict(result=Result.HELD, reason="It did not answer as Google does. Is the address right?")
        words = " ".join(message.description for message in found)
        return Verdict(result=Result.REFUSED, reason=words[:500]) if found else verdict

    def _wrap(self, path: str, piece: Sequence[tuple[Copy, bytes]]) -> Parcel:
        first = piece[0][0]
        person = {"client_id": first.device or first.profile}
        if first.user_id is not None:
            person["user_id"] = first.user_id[:256]
        body: dict[str, Any] = {**person, "events": [msgspec.Raw(encoded) for _, encoded in piece]}
        if first.what is What.IDENTIFY:
            body["user_properties"] = make_user_properties(first.properties)
        query = urlencode({"measurement_id": self.measurement_id, "api_secret": self.api_secret})
        return Parcel(
            copies=[copy for copy, _ in piece],
            url=f"{self.endpoint.rstrip('/')}{path}?{query}",
            body=encode(body),
            headers={"Content-Type": "application/json"},
        )


class _Message(msgspec.Struct):
    description: str = ""


class _Validation(msgspec.Struct, rename={"messages": "validationMessages"}):
    messages: list[_Message]


def make_name(text: str, prefix: str = "e_", most: int = MOST_NAME) -> str:
    """Return a name as Google takes it, the same for the same text; one that is cut ends in a hash of the whole."""
    name = _FOREIGN.sub("_", text)
    if not name[:1].isalpha() or is_reserved_event(text) or is_reserved_event(name):
        name = prefix + name
    if len(name) <= most:
        return name
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{name[: most - 9]}_{digest}"


def make_params(properties: dict[str, Any]) -> dict[str, Any]:
    """Return as many properties as fit, in the order of their names; `items` as Google's own list of things."""
    params: dict[str, Any] = {}
    for key in sorted(properties):
        value = _make_items(properties[key]) if key == "items" else _make_value(properties[key])
        if value is not None and len(params) < MOST_PARAMS - 2:
            params.setdefault(make_name(key, "p_"), value)
    return params


def make_user_properties(traits: dict[str, Any]) -> dict[str, Any]:
    """Return traits as properties of the user."""
    named = {make_name(key, "p_", MOST_PROPERTY_NAME): _make_value(traits[key]) for key in sorted(traits)}
    return {
        key: {"value": value[:MOST_PROPERTY_VALUE] if isinstance(value, str) else value}
        for key, value in list(named.items())[:25]
        if value is not None
    }


def _encode_event(copy: Copy) -> bytes:
    params = make_params({} if copy.what is What.IDENTIFY else copy.properties)
    event = {
        "name": make_name(copy.name),
        # Without a time of engagement Google counts nobody as active.
        "params": params | {"event_id": str(copy.id), "engagement_time_msec": 1},
        "timestamp_micros": int(copy.occurred_at.timestamp() * 1000) * 1000,
    }
    while len(encoded := encode(event)) > _MOST_BYTES and params.get("items"):
        params["items"] = params["items"][: len(params["items"]) // 2]
        event["params"] = params | {"event_id": str(copy.id), "engagement_time_msec": 1}
    return encoded


def _cut_people(copies: Sequence[Copy]) -> list[Sequence[tuple[Copy, bytes]]]:
    """Return the pieces of a lane, each about one person on one device, in the order in which each person's began."""
    runs: list[list[tuple[Copy, bytes]]] = []
    latest: dict[str, list[tuple[Copy, bytes]]] = {}
    for copy in copies:
        run = latest.get(copy.profile)
        if run is None or not _fits(run[-1][0], copy):
            run = latest[copy.profile] = []
            runs.append(run)
        run.append((copy, _encode_event(copy)))
    return [piece for run in runs for piece in cut(run, MOST_EVENTS, _MOST_BYTES)]


def _fits(last: Copy, copy: Copy) -> bool:
    """What is known of the person stands beside the events of a request, so it gets one of its own."""
    is_same = (last.device, last.user_id) == (copy.device, copy.user_id)
    return is_same and What.IDENTIFY not in (last.what, copy.what)


def _make_value(value: Any) -> str | float | None:
    if value is None or isinstance(value, str):
        return value[:MOST_VALUE] if value else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    return encode(value).decode()[:MOST_VALUE]


def _make_items(value: Any) -> list[dict[str, Any]] | str | float | None:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        return _make_value(value)
    return [
        {key: made for key in list(item)[:_MOST_ITEM_PARAMS] if (made := _make_value(item[key])) is not None}
        for item in value[:_MOST_ITEMS]
    ]
