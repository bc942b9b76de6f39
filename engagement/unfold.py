"""How the admin looks, and its way around in the words of those who use it."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _allow(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(permission)


def _link(title: str, icon: str, page: str, permission: str, badge: str | None = None) -> dict[str, Any]:
    item = {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{page}"), "permission": _allow(permission)}
    return item | ({"badge": badge, "badge_variant": "danger"} if badge else {})


_NAVIGATION: list[dict[str, Any]] = [
    {
        "items": [{"title": "Dashboard", "icon": "space_dashboard", "link": reverse_lazy("admin:index")}],
    },
    {
        "title": "Messages",
        "items": [
            _link("Rules", "rule", "triggers_rule_changelist", "triggers.view_rule"),
            _link("Templates", "draft", "triggers_template_changelist", "triggers.view_template"),
            _link("People", "group", "tracking_profile_changelist", "tracking.view_profile"),
            _link("Activations", "bolt", "triggers_activation_changelist", "triggers.view_activation"),
            _link("Deliveries", "mail", "triggers_delivery_changelist", "triggers.view_delivery"),
            _link(
                "In doubt",
                "help",
                "triggers_delivery_in_doubt",
                "triggers.view_delivery",
                "engagement.admin.badges.count_in_doubt",
            ),
        ],
    },
    {
        "title": "Events",
        "separator": True,
        "items": [
            _link("Sources", "key", "tracking_source_changelist", "tracking.view_source"),
            _link("Webhooks", "webhook", "tracking_hook_changelist", "tracking.view_hook"),
            _link("Events", "timeline", "tracking_event_changelist", "tracking.view_event"),
            _link("Event types", "label", "tracking_eventtype_changelist", "tracking.view_eventtype"),
            _link("Destinations", "call_split", "triggers_destination_changelist", "triggers.view_destination"),
            _link("Quarantine", "report", "tracking_quarantined_changelist", "tracking.view_quarantined"),
        ],
    },
    {
        "title": "Operation",
        "separator": True,
        "items": [
            _link(
                "Schedules",
                "schedule",
                "django_celery_beat_periodictask_changelist",
                "django_celery_beat.view_periodictask",
            ),
            _link(
                "Sending switch",
                "power_settings_new",
                "triggers_sendingswitch_changelist",
                "triggers.view_sendingswitch",
                "engagement.admin.badges.say_stopped",
            ),
            _link("Set aside", "content_paste_off", "tracking_setaside_changelist", "tracking.view_setaside"),
            _link("Erasures", "person_remove", "tracking_erasure_changelist", "tracking.view_erasure"),
            _link("Users", "manage_accounts", "auth_user_changelist", "auth.view_user"),
            _link("Groups", "badge", "auth_group_changelist", "auth.view_group"),
        ],
    },
]

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Engagement",
    "SITE_HEADER": "Engagement",
    "SITE_SUBHEADER": "From an event to a message",
    "SITE_SYMBOL": "bolt",
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "DASHBOARD_CALLBACK": "engagement.admin.dashboard.show_dashboard",
    "STYLES": [lambda request: static("office/office.css")],
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("office/icon.svg")}],
    "ACCOUNT": {"navigation": [{"title": "Two-factor login", "link": reverse_lazy("admin:two_factor_set_up")}]},
    "SIDEBAR": {"show_search": False, "show_all_applications": False, "navigation": _NAVIGATION},
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "primary": {
            "50": "oklch(97.5% .012 250)",
            "100": "oklch(94% .03 250)",
            "200": "oklch(88% .06 250)",
            "300": "oklch(80% .10 251)",
            "400": "oklch(70% .15 253)",
            "500": "oklch(62% .18 256)",
            "600": "oklch(51% .19 259)",
            "700": "oklch(45% .17 260)",
            "800": "oklch(39% .14 261)",
            "900": "oklch(34% .11 261)",
            "950": "oklch(26% .08 262)",
        },
    },
}
