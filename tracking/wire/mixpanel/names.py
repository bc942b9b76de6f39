"""What Mixpanel's names are called here: of events, properties, attributes of people. Tables, mostly. Pure."""

from collections.abc import Mapping
from typing import Any

from tracking.event import PAGE_VIEWED
from tracking.wire.fields import Unclear

EVENTS = {
    "$mp_web_page_view": PAGE_VIEWED,
    "mp_page_view": PAGE_VIEWED,
    "$mp_click": "element_clicked",
    "$mp_dead_click": "dead_element_clicked",
    "$mp_rage_click": "element_rage_clicked",
    "$mp_scroll": "page_scrolled",
    "$mp_submit": "form_submitted",
    "$mp_input_change": "input_changed",
    "$mp_page_leave": "page_left",
    "$ae_first_open": "app_first_opened",
    "$ae_updated": "app_updated",
    "$ae_session": "app_session_ended",
    "$ae_crashed": "app_crashed",
    "$ae_iap": "in_app_purchased",
    "$experiment_started": "experiment_started",
}
"""Events that Mixpanel's clients report by themselves. Others whose names begin with a dollar sign are refused."""

CONTEXT: dict[str, tuple[str, ...]] = {
    "$os": ("os", "name"),
    "$os_version": ("os", "version"),
    "$browser": ("browser", "name"),
    "$browser_version": ("browser", "version"),
    "$device": ("device", "name"),
    "$model": ("device", "model"),
    "$manufacturer": ("device", "manufacturer"),
    "$brand": ("device", "brand"),
    "$screen_height": ("screen", "height"),
    "$screen_width": ("screen", "width"),
    "$screen_dpi": ("screen", "density"),
    "$current_url": ("page", "url"),
    "$referrer": ("page", "referrer"),
    "$referring_domain": ("page", "referring_domain"),
    "utm_source": ("campaign", "source"),
    "utm_medium": ("campaign", "medium"),
    "utm_campaign": ("campaign", "name"),
    "utm_term": ("campaign", "term"),
    "utm_content": ("campaign", "content"),
    "utm_id": ("campaign", "id"),
    "$app_version_string": ("app", "version"),
    "$app_build_number": ("app", "build"),
    "$carrier": ("network", "carrier"),
    "$wifi": ("network", "wifi"),
    "$city": ("location", "city"),
    "$region": ("location", "region"),
    "mp_country_code": ("location", "country"),
    "mp_lib": ("library", "name"),
    "$lib_version": ("library", "version"),
    "mp_sent_by_lib_version": ("library", "sent_by_version"),
    "$ip": ("ip",),
    "ip": ("ip",),
}
"""Properties that tell of the circumstances, and where they stand in an event's context."""

OWN = frozenset({"token", "time", "distinct_id", "$user_id", "$device_id", "$insert_id", "$anon_distinct_id"})
"""Properties that an event's own columns are made of."""

VIEW_PROPERTIES = {
    "current_page_title": "title",
    "current_url_path": "path",
    "current_url_search": "search",
    "current_domain": "domain",
    "current_url_protocol": "protocol",
}
"""What is told of a page that was viewed, in the words of all dialects."""

TRAITS = {
    "$email": "email",
    "$name": "name",
    "$first_name": "first_name",
    "$last_name": "last_name",
    "$phone": "phone",
    "$avatar": "avatar",
    "$created": "created_at",
    "$country_code": "country",
    "$city": "city",
    "$region": "region",
    "$timezone": "timezone",
}
"""Attributes of people. Any other name loses its dollar sign."""

_OTHERS = "mixpanel"


def name_event(name: Any) -> str:
    """Return what an event is called here; raises Unclear."""
    if not isinstance(name, str):
        raise Unclear("event", "Give the event's name as text.")
    known = EVENTS.get(name, name)
    if known.startswith("$"):
        raise Unclear("event", "Names that begin with a dollar sign belong to the platform.", code="reserved_event")
    return known


def name_trait(name: str) -> str:
    """Return what an attribute of a person is called here."""
    return TRAITS.get(name) or name.lstrip("$") or name


def split_properties(told: Mapping[str, Any], name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return an event's properties and its context."""
    properties: dict[str, Any] = {}
    context: dict[str, Any] = {}
    renamed = VIEW_PROPERTIES if name == PAGE_VIEWED else {}
    for key, value in told.items():
        if key in OWN:
            continue
        place = CONTEXT.get(key)
        if place is not None:
            _put(context, place, value)
        elif key.startswith("$"):
            _put(context, (_OTHERS, key[1:]), value)
        else:
            properties[renamed.get(key, key)] = value
    if name == PAGE_VIEWED:
        properties = _pick(context.get("page"), ("url", "referrer")) | properties
    return properties, context


def _put(context: dict[str, Any], place: tuple[str, ...], value: Any) -> None:
    if len(place) == 2:
        context.setdefault(place[0], {})[place[1]] = value
    elif isinstance(value, str):
        context[place[0]] = value


def _pick(told: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: told[name] for name in names if name in told} if isinstance(told, dict) else {}
