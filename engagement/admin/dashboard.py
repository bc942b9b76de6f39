"""The first page: is all well, what is going on, what to do first."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path
from django.utils import timezone
from msgspec import Struct

from engagement.admin import figures
from engagement.admin.badges import load_in_doubt
from engagement.admin.first_steps import describe_steps, load_first_steps
from engagement.admin.pulse import find_standstills
from engagement.admin.remember import remember
from engagement.doctor import Finding, State, examine
from engagement.lib.charts import Chart, make_chart
from tracking.refusals import Breaking, find_breaking
from triggers.admin.destination_words import load_failing
from triggers.broken_rules import list_broken
from triggers.models import DestinationProgress, SendingSwitch

_FRESH_SECONDS = 10
_EXAMINED_SECONDS = 30
_SAID_ELSEWHERE = {"worker", "rules", "destinations", "sending", "deliveries in doubt", "dead letters", "evaluator"}


def show_dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add what the dashboard shows."""
    steps = load_first_steps(request.user)
    return context | {
        "title": "Dashboard",
        "standstills": find_standstills() if _may_see_operation(request.user) else [],
        "findings": _load_findings() if _may_see_operation(request.user) else [],
        "breaking": _load_breaking(request.user),
        "failing": _load_failing(request.user),
        "broken_rules": list_broken() if request.user.has_perm("triggers.view_rule") else [],
        "is_stopped": _is_stopped(request.user),
        "steps": steps if not all(step.is_done for step in steps) else [],
        "tiles": _load_tiles(request.user),
        "charts": _load_charts(request.user),
        "zone": timezone.get_current_timezone_name(),
    }


def make_urls() -> list[URLPattern]:
    """Return the addresses that belong to no model."""
    return [path("first-steps.json", admin.site.admin_view(tell_steps), name="first_steps")]


def tell_steps(request: HttpRequest) -> JsonResponse:
    """Answer the page's script with what is done by now."""
    return JsonResponse(describe_steps(load_first_steps(request.user)))


def _may_see_operation(user: Any) -> bool:
    """People who write rules or operate the platform have to know whether it keeps up."""
    return user.has_perm("triggers.view_rule") or user.has_perm("tracking.view_setaside")


def _load_findings() -> list[Finding]:
    """What the page says nowhere else."""
    found = remember("findings", _EXAMINED_SECONDS, examine)
    bad = (State.FAILING, State.WARNING)
    return [one for one in found if one.state in bad and one.name not in _SAID_ELSEWHERE]


def _is_stopped(user: Any) -> bool:
    """All who wait for messages have to know, not only those who may turn the switch."""
    may_see = user.has_perm("triggers.view_sendingswitch") or user.has_perm("triggers.view_delivery")
    return may_see and SendingSwitch.objects.filter(is_stopped=True).exists()


def _load_breaking(user: Any) -> list[Breaking]:
    if not user.has_perm("tracking.view_source"):
        return []
    return remember("breaking", _FRESH_SECONDS, lambda: find_breaking(datetime.now(UTC)))


def _load_failing(user: Any) -> list[DestinationProgress]:
    return load_failing(datetime.now(UTC)) if user.has_perm("triggers.view_destination") else []


def _load_tiles(user: Any) -> dict[str, Any]:
    tiles: dict[str, Any] = {}
    if user.has_perm("triggers.view_delivery"):
        tiles["in_doubt"] = load_in_doubt()
    if user.has_perm("tracking.view_setaside"):
        tiles["set_aside"] = figures.count_set_aside()
    if _may_see_operation(user):
        tiles["lag"] = _recall(figures.load_lag)["total"]
    return tiles


class _Plan(Struct, frozen=True, kw_only=True):
    """A chart to be drawn: who may see it, where its figures come from, and its words, with `{total}` in `says`."""

    permission: str
    title: str
    load: Callable[[], dict[str, Any]]
    note: str
    says: str
    empty: str
    is_flat: bool = False


_PLANS = (
    _Plan(
        permission="tracking.view_eventtype",
        title="Events by minute",
        load=figures.load_events_by_minute,
        note="the last hour",
        says="{total:,} events in the last hour.",
        empty="No event in the last hour.",
    ),
    _Plan(
        permission="triggers.view_rule",
        title="Activations by rule",
        load=figures.load_activations_by_rule,
        note="the last 24 hours",
        says="{total:,} activations in the last 24 hours.",
        empty="No rule has matched in the last 24 hours.",
        is_flat=True,
    ),
    _Plan(
        permission="triggers.view_delivery",
        title="Deliveries by state",
        load=figures.load_deliveries_by_state,
        note="the last 24 hours",
        says="{total:,} deliveries in the last 24 hours.",
        empty="No message in the last 24 hours.",
        is_flat=True,
    ),
    _Plan(
        permission="tracking.view_setaside",
        title="Lag of the evaluator by lane",
        load=figures.load_lag,
        note="decided up to {position:,} of {sequence:,} in the log",
        says="The slowest lane is {total} seconds behind.",
        empty="Every lane has caught up with the log.",
    ),
)


def _load_charts(user: Any) -> list[Chart]:
    return [_draw(plan) for plan in _PLANS if user.has_perm(plan.permission)]


def _draw(plan: _Plan) -> Chart:
    found = _recall(plan.load)
    note, says = plan.note.format(**found), plan.says.format(**found)
    return make_chart(plan.title, found, note=note, says=says, empty=plan.empty, is_flat=plan.is_flat)


def _recall(load: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    return remember(load.__name__, _FRESH_SECONDS, load)
