"""What GA4 calls things, and what they are called here. Tables only. Pure."""

from tracking.event import PAGE_VIEWED, SCREEN_VIEWED

OUR_NAMES = {"page_view": PAGE_VIEWED, "screen_view": SCREEN_VIEWED}

PAGE_PARAMS = ("page_location", "page_title", "page_referrer")
"""On a page view these are called as every dialect calls them."""

RESERVED_EVENTS = frozenset(
    [
        "ad_activeview",
        "ad_click",
        "ad_exposure",
        "ad_impression",
        "ad_query",
        "ad_reward",
        "adunit_exposure",
        "app_clear_data",
        "app_exception",
        "app_install",
        "app_remove",
        "app_store_refund",
        "app_store_subscription_cancel",
        "app_store_subscription_convert",
        "app_store_subscription_renew",
        "app_update",
        "app_upgrade",
        "click",
        "dynamic_link_app_open",
        "dynamic_link_app_update",
        "dynamic_link_first_open",
        "error",
        "file_download",
        "first_open",
        "first_visit",
        "form_start",
        "form_submit",
        "in_app_purchase",
        "notification_dismiss",
        "notification_foreground",
        "notification_open",
        "notification_receive",
        "notification_send",
        "os_update",
        "scroll",
        "session_start",
        "user_engagement",
        "video_complete",
        "video_progress",
        "video_start",
        "view_search_results",
    ]
)
"""Events that Google's own clients make. They are taken from others too, and marked."""

RESERVED_PREFIXES = ("_", "firebase_", "ga_", "google_", "gtag.")
RESERVED_USER_PROPERTIES = frozenset(
    {"first_open_time", "first_visit_time", "last_deep_link_referrer", "user_id", "first_open_after_install"}
)


def is_reserved_event(name: str) -> bool:
    """Whether Google keeps an event's name to itself."""
    return name in RESERVED_EVENTS or name.startswith(RESERVED_PREFIXES)
