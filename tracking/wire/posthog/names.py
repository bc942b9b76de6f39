"""What PostHog's libraries call things, and what they are called here. Tables only. Pure."""

from tracking.event import PAGE_VIEWED, SCREEN_VIEWED

SET = "$set"
"""An event that says nothing but what is known of a person."""

STATEMENTS = frozenset({"$identify", SET, "$set_once", "$unset"})
"""Events of which only what they say of the person is kept, as `$identify`."""

GROUP_IDENTIFY = "$groupidentify"
ALIASES = frozenset({"$create_alias", "$merge_dangerously"})

PAGE_LEFT = "page_left"
OUR_NAMES = {
    "$pageview": PAGE_VIEWED,
    "$pageleave": PAGE_LEFT,
    "$screen": SCREEN_VIEWED,
    "$rageclick": "element_rage_clicked",
    "$dead_click": "element_dead_clicked",
    "$copy_autocapture": "text_copied",
    "$opt_in": "opted_in",
}
"""Names that begin with a dollar sign are the platform's own; one that is not listed goes without it."""

AUTOCAPTURE = "$autocapture"
ELEMENT_EVENTS = {"click": "element_clicked", "change": "field_changed", "submit": "form_submitted"}
"""What `$autocapture` saw, by its `$event_type`."""

UNWANTED = frozenset(
    {"$snapshot", "$$heatmap", "$heatmap", "$web_vitals", "$performance_event", "$feature_flag_called", "$exception"}
)
"""Recordings and measurements that say nothing of what somebody wanted: acknowledged, so that they are not sent again,
and not kept."""

OUR_PROPERTIES = {
    "$el_text": "text",
    "$elements_chain": "element",
    "$external_click_target_url": "target_url",
    "$selected_content": "selected_text",
    "$copy_type": "copy_type",
    "$screen_name": "name",
    "$prev_pageview_duration": "duration",
    "$prev_pageview_max_scroll_percentage": "scrolled",
}
"""Properties with a dollar sign that say what happened. The others are PostHog's own accounts."""

CONTEXT = {
    "$session_id": ("session_id",),
    "$device_id": ("device_id",),
    "$groups": ("groups",),
    "$ip": ("ip",),
    "$raw_user_agent": ("userAgent",),
    "$user_agent": ("userAgent",),
    "$browser_language": ("locale",),
    "$locale": ("locale",),
    "$timezone": ("timezone",),
    "$lib": ("library", "name"),
    "$lib_version": ("library", "version"),
    "$os": ("os", "name"),
    "$os_version": ("os", "version"),
    "$browser": ("browser", "name"),
    "$browser_version": ("browser", "version"),
    "$device_type": ("device", "type"),
    "$device_manufacturer": ("device", "manufacturer"),
    "$device_model": ("device", "model"),
    "$app_name": ("app", "name"),
    "$app_version": ("app", "version"),
    "$app_build": ("app", "build"),
    "$app_namespace": ("app", "namespace"),
    "$screen_width": ("screen", "width"),
    "$screen_height": ("screen", "height"),
    "utm_source": ("campaign", "source"),
    "utm_medium": ("campaign", "medium"),
    "utm_campaign": ("campaign", "name"),
    "utm_content": ("campaign", "content"),
    "utm_term": ("campaign", "term"),
}
"""Where a property goes in an event's context."""

CLICK_IDS = frozenset(
    """
    gad_source mc_cid gclid gclsrc dclid gbraid wbraid fbclid msclkid twclid li_fat_id igshid ttclid rdt_cid epik qclid
    sccid oppref bfcid irclid _kx
    """.split()  # noqa: SIM905
)
"""Marks of advertisements: posthog-js sends all of them each time, nearly all of them null."""

IN_THE_ENVELOPE = frozenset({"distinct_id", "token", "api_key"})
"""Properties that are told elsewhere in an event of ours."""

DIRECT = "$direct"
"""The referrer of who came from nowhere."""

INITIAL = "$initial_"
"""Begins the attributes of somebody's first visit that posthog-js sets once by itself."""

ALIAS_IS_THE_USER = frozenset({"posthog-python"})
"""Libraries whose alias() gives the former id as distinct_id and the user's as alias; the others do the reverse."""

STALE_SENT_AT = frozenset({"posthog-node"})
"""Libraries that repeat the first `sent_at` on every retry. They run on servers, whose clocks are right."""
