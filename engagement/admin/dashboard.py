"""The first page: is all well, what is going on, what to do first."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path
from django.utils import timezone

from engagement.admin import figures
from engagement.admin.badges import load_in_doubt
from engagement.admin.charts import Chart, make_chart
from engagement.admin.first_steps import describe_steps, load_first_steps
from engagement.admin.pulse import find_standstills
from engagement.admin.remember import remember
from triggers.models import SendingSwitch

_FRESH_SECONDS = 10


def show_dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add what the dashboard shows."""
    steps = load_first_steps()
    return context | {
        "title": "Dashboard",
        "standstills": find_standstills(),
        "is_stopped": SendingSwitch.objects.filter(is_stopped=True).exists(),
        "steps": steps if not all(step.is_done for step in steps) else [],
        "tiles": _load_tiles(),
        "charts": [chart for permission, chart in _load_charts() if request.user.has_perm(permission)],
        "zone": timezone.get_current_timezone_name(),
    }


def make_urls() -> list[URLPattern]:
    """Return the addresses that belong to no model."""
    return [path("first-steps.json", admin.site.admin_view(tell_steps), name="first_steps")]


def tell_steps(request: HttpRequest) -> JsonResponse:
    """Answer the page's script with what is done by now."""
    return JsonResponse(describe_steps(load_first_steps()))


def _load_tiles() -> dict[str, Any]:
    return {
        "in_doubt": load_in_doubt(),
        "set_aside": figures.count_set_aside(),
        "lag": remember("lag", _FRESH_SECONDS, figures.load_lag)["total"],
    }


def _load_charts() -> list[tuple[str, Chart]]:
    events = remember("events", _FRESH_SECONDS, figures.load_events_by_minute)
    activations = remember("activations", _FRESH_SECONDS, figures.load_activations_by_rule)
    deliveries = remember("deliveries", _FRESH_SECONDS, figures.load_deliveries_by_state)
    lag = remember("lag", _FRESH_SECONDS, figures.load_lag)
    return [
        (
            "tracking.view_eventtype",
            make_chart(
                "Events by minute",
                events,
                note="the last hour",
                says=f"{events['total']:,} events in the last hour.",
                empty="No event in the last hour.",
            ),
        ),
        (
            "triggers.view_rule",
            make_chart(
                "Activations by rule",
                activations,
                note="the last 24 hours",
                says=f"{activations['total']:,} activations in the last 24 hours.",
                empty="No rule has matched in the last 24 hours.",
                is_flat=True,
            ),
        ),
        (
            "triggers.view_delivery",
            make_chart(
                "Deliveries by state",
                deliveries,
                note="the last 24 hours",
                says=f"{deliveries['total']:,} deliveries in the last 24 hours.",
                empty="No message in the last 24 hours.",
                is_flat=True,
            ),
        ),
        (
            "tracking.view_setaside",
            make_chart(
                "Lag of the evaluator by lane",
                lag,
                note=f"decided up to {lag['position']:,} of {lag['sequence']:,} in the log",
                says=f"The slowest lane is {lag['total']} seconds behind.",
                empty="Every lane has caught up with the log.",
            ),
        ),
    ]
