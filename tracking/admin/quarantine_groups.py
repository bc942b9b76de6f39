"""What is quarantined for one reason, together: how much, a look at it, and sending it again in bulk."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from engagement.lib.charts import Chart, make_chart
from engagement.lib.pages import KeysetAdmin
from tracking.admin.marked import mark_field
from tracking.admin.mending import write_payload
from tracking.again import Group, delete_rows, preview_group, start_resending
from tracking.hooks.hold import DIALECT
from tracking.intake import open_intake
from tracking.log.nudge import send_soon
from tracking.models import Quarantined, Resending, Source
from tracking.quarantine import forget_counts
from tracking.refusals import find_breaking, load_refusals_by_minute
from tracking.tasks import send_on

_SHOWN_GROUPS = 50
_SHOWN_RUNS = 5
_CHARTED = timedelta(minutes=60)
_CHARTED_SOURCES = 5
_GROUPED = ("source_id", "is_held", "code", "field", "event_name")


class GroupPages(KeysetAdmin):
    """What the admin of quarantined items has beside its list and form."""

    def make_group_urls(self) -> list[URLPattern]:
        """Return the addresses of these pages."""
        view = self.admin_site.admin_view
        return [
            path("group/", view(self.show_group), name="tracking_quarantined_group"),
            path("resending/<int:run_id>/", view(self.show_resending), name="tracking_quarantined_resending"),
            path("resending/<int:run_id>.json", view(self.tell_resending), name="tracking_quarantined_resending_json"),
        ]

    def show_group(self, request: HttpRequest) -> HttpResponse:
        """Show what one reason holds and how much of it would be taken now; with POST, begin to send it again."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        group = read_group(request.GET)
        source = get_object_or_404(Source, pk=group.source_id)
        number = group.find_rows().count()
        if "delete" in request.POST:
            return self._delete_group(request, group, number)
        if request.method == "POST":
            run = start_resending(group, request.user, datetime.now(UTC))  # type: ignore[arg-type]
            wake_sender()
            return HttpResponseRedirect(reverse("admin:tracking_quarantined_resending", args=[run.pk]))
        newest = group.find_rows().order_by("-id").first()
        context = {
            **self.admin_site.each_context(request),
            "title": f"{group.event_name or 'Items'} from {source.name}",
            "opts": self.opts,
            "group": group,
            "source": source,
            "number": number,
            "may_delete": self.has_delete_permission(request),
            "preview": preview_group(group, open_intake()),
            "newest": newest,
            "payload": show_payload(newest) if newest is not None else "",
            "list_url": f"{reverse('admin:tracking_quarantined_changelist')}?{urlencode(_narrow_list(group))}",
        }
        return TemplateResponse(request, "admin/tracking/quarantine_group.html", context)

    def _delete_group(self, request: HttpRequest, group: Group, number: int) -> HttpResponseRedirect:
        """Delete what one reason holds, once somebody has typed how much that is."""
        if not self.has_delete_permission(request):
            raise PermissionDenied
        if request.POST["delete"].strip() != str(number):
            messages.error(request, f"Nothing was deleted: there are {number} of them now.")
            return HttpResponseRedirect(request.get_full_path())
        messages.success(request, f"{delete_rows(group.find_rows()):,} items were deleted.")
        forget_counts()
        return HttpResponseRedirect(reverse("admin:tracking_quarantined_changelist"))

    def show_resending(self, request: HttpRequest, run_id: int) -> HttpResponse:
        """Show how far sending again has come."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        run = get_object_or_404(Resending.objects.select_related("source", "hook", "started_by"), pk=run_id)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Sending again: {run.subject} from {run.source.name}",
            "opts": self.opts,
            "run": run,
            "state": describe_run(run),
        }
        return TemplateResponse(request, "admin/tracking/resending.html", context)

    def tell_resending(self, request: HttpRequest, run_id: int) -> JsonResponse:
        """Answer the page's script with how far it has come."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        return JsonResponse(describe_run(get_object_or_404(Resending, pk=run_id)))


def show_payload(row: Quarantined) -> str:
    """Return a payload as HTML, the failing field marked: of a foreign one the field is none of its own."""
    return mark_field(write_payload(row), "" if row.dialect == DIALECT else row.field)


def _narrow_list(group: Group) -> dict[str, Any]:
    """Return the list's filters that leave what belongs to a group, its field apart."""
    named = {"event_name": group.event_name} if group.event_name else {}
    return {"code": group.code, "source__id__exact": group.source_id, "is_held__exact": int(group.is_held)} | named


def wake_sender() -> None:
    """Have a worker begin at once; where the broker is away, beat's sweep begins within ten seconds."""
    send_soon(send_on.name, "default")


def read_group(query: Any) -> Group:
    """Return the group that a page's address names; raises Http404."""
    source = query.get("source", "")
    if not source.isdecimal() or not query.get("code"):
        raise Http404
    return Group(
        source_id=int(source),
        is_held=query.get("held") == "1",
        code=query["code"],
        field=query.get("field", ""),
        event_name=query.get("event", ""),
    )


def load_groups() -> list[dict[str, Any]]:
    """Return what is open by reason, the largest first, each with its newest item and the address of its page."""
    rows = list(count_reasons()[:_SHOWN_GROUPS])
    found = Quarantined.objects.filter(pk__in=[row["newest"] for row in rows])
    newest = {row["id"]: row for row in found.values("id", "message", "source__name", "received_at")}
    groups = [
        dict(row)
        | {name: newest[row["newest"]][name] for name in ("message", "source__name")}
        | {"latest": newest[row["newest"]]["received_at"]}
        for row in rows
        if row["newest"] in newest
    ]
    for group in groups:
        named = {
            "source": group["source_id"],
            "held": int(group["is_held"]),
            "code": group["code"],
            "field": group["field"],
            "event": group["event_name"],
        }
        group["url"] = f"{reverse('admin:tracking_quarantined_group')}?{urlencode(named)}"
    return groups


def count_reasons() -> QuerySet[Quarantined, dict[str, Any]]:
    """Return how much is open by reason, the most first, and the newest id of each: an index alone answers."""
    rows = Quarantined.objects.filter(resent_at__isnull=True).order_by().values(*_GROUPED)
    return rows.annotate(number=Count("id"), newest=Max("id")).order_by("-number")


def describe_quarantine(now: datetime) -> dict[str, Any]:
    """Return what stands above the list: who breaks, the chart, the reasons, what is being sent again."""
    return {
        "breaking": find_breaking(now),
        "chart": draw_refusals(now),
        "groups": load_groups(),
        "runs": Resending.objects.select_related("source", "hook").order_by("-id")[:_SHOWN_RUNS],
    }


def draw_refusals(now: datetime, source_id: int | None = None) -> Chart:
    """Return the chart of what was refused or held in the last hour, by source."""
    last = now.replace(second=0, microsecond=0)
    minutes = [last - timedelta(minutes=ago) for ago in range(int(_CHARTED.total_seconds() // 60) - 1, -1, -1)]
    names = dict(Source.objects.values_list("pk", "name"))
    counts: dict[int, dict[datetime, int]] = defaultdict(lambda: dict.fromkeys(minutes, 0))
    for minute, source, number in load_refusals_by_minute(minutes[0]):
        if source_id in (None, source) and minute in counts[source]:
            counts[source][minute] += number
    busiest = sorted(counts, key=lambda source: sum(counts[source].values()), reverse=True)[:_CHARTED_SOURCES]
    figures = {
        "labels": [timezone.localtime(minute).strftime("%H:%M") for minute in minutes],
        "series": {names.get(source, f"source {source}"): list(counts[source].values()) for source in busiest},
        "total": sum(sum(values.values()) for values in counts.values()),
    }
    return make_chart(
        "Refused and held by minute",
        figures,
        note="the last hour, kept or not",
        says=f"{figures['total']:,} items were refused or held in the last hour.",
        empty="Nothing was refused or held in the last hour.",
    )


def describe_run(run: Resending) -> dict[str, Any]:
    """Return how far sending again has come, for the page and its script."""
    return {
        "total": run.total,
        "sent": run.sent,
        "left": run.left,
        "is_done": run.finished_at is not None,
        "first_problem": run.first_problem,
    }
