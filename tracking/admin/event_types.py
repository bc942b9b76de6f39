"""Event types: discovered from traffic; a person says what each means and what its events must look like."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.html import format_html
from unfold.views import ChangeList

from engagement.lib.say import moment_column
from engagement.lib.sparkline import draw_sparkline
from tracking.admin.schema_pages import SchemaPages
from tracking.admin.type_page import describe_type_page, name_source, sort_counts
from tracking.discovery import MAX_NEW_TYPES
from tracking.hours import count_others, load_usage
from tracking.models import EventType, MisfitPolicy, SchemaVersion, Source
from tracking.registry import forget_registry
from tracking.schema.naming import find_hint

_NAMED_SOURCES = 2
_POLICIES = {
    MisfitPolicy.ACCEPT: ("", "accepted"),
    MisfitPolicy.QUARANTINE: ("warning", "quarantined"),
    MisfitPolicy.REJECT: ("bad", "rejected"),
}


class EventTypeList(ChangeList):  # type: ignore[misc]
    """The list, with how often each of its events came."""

    def get_results(self, request: HttpRequest) -> None:
        """Read what is known of a page's types in three queries."""
        super().get_results(request)
        sources = dict(Source.objects.values_list("pk", "name"))
        usage = load_usage([row.name for row in self.result_list], datetime.now(UTC))
        for row in self.result_list:
            row.usage, row.source_names = usage.get(row.name), sources


@admin.register(EventType)
class EventTypeAdmin(SchemaPages):
    """The names that were seen, with the properties seen beside them: what the rule form offers."""

    list_display = (
        "title",
        "traffic",
        "sent_by",
        moment_column("last_seen_at", "last seen"),
        "schema_state",
    )
    list_filter = ("policy", "server_only")
    search_fields = ("name",)
    search_help_text = "Search by name"
    fields = ("policy", "is_activity", "server_only")
    radio_fields = {"policy": admin.HORIZONTAL}
    actions = None
    list_before_template = "admin/tracking/type_others.html"
    change_form_template = "admin/tracking/type_form.html"
    empty_title = "No event has been seen yet"
    empty_hint = "Each name appears here by itself with its first event."
    empty_link = ("Go to the sources", "admin:tracking_source_changelist")

    def get_urls(self) -> list[URLPattern]:
        """Add the pages of the schema."""
        return [*self.make_schema_urls(), *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Types are discovered, not typed."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A type that came once may come again."""
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list with its counts."""
        return EventTypeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[EventType]:
        """Read with each type the version in force, and whether a newer draft waits."""
        newer = SchemaVersion.objects.filter(event_type=OuterRef("pk"), approved_at__isnull=True)
        rows: QuerySet[EventType] = super().get_queryset(request)
        return rows.select_related("in_force").annotate(has_draft=Exists(newer))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, and what it leaves out."""
        sources = dict(Source.objects.values_list("pk", "name"))
        others = [
            (name_source(sources, source), number) for source, number in sort_counts(count_others(datetime.now(UTC)))
        ]
        is_silent = not EventType.objects.filter(is_derived=False).exists()
        context = {"others": others, "most_new": MAX_NEW_TYPES, "is_silent": is_silent}
        return super().changelist_view(request, (extra_context or {}) | context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the form with what is known of the type."""
        event_type = self.get_object(request, object_id)
        context = describe_type_page(event_type) if event_type is not None else {}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | context)

    def save_model(self, request: HttpRequest, obj: EventType, form: Any, change: bool) -> None:
        """Save what was changed and nothing that the traffic wrote meanwhile, and let this process know at once."""
        obj.save(update_fields=list(self.fields))
        forget_registry()

    @admin.display(description="name", ordering="name")
    def title(self, row: Any) -> str:
        """Return the name, with what could be better about it."""
        marks = " ".join(("server only",) * row.server_only + ("the platform’s own",) * row.is_derived)
        hint = find_hint(row.name)
        better = hint.suggestion if hint is not None else None
        return format_html(
            '<span class="wrap"><code>{}</code>{}{}</span>',
            row.name,
            format_html('<br><span class="badge">{}</span>', marks) if marks else "",
            format_html('<br><span class="quiet">as snake_case: <code>{}</code></span>', better) if better else "",
        )

    @admin.display(description="how often")
    def traffic(self, row: Any) -> str:
        """Return how often it came."""
        if row.usage is None:
            return format_html('<span class="quiet">{}</span>', "not in 7 days")
        says = f"{row.usage.day:,} in the last 24 hours"
        line = draw_sparkline(row.usage.hours, says)
        return format_html(
            '<span class="traffic">{}<span class="counts">{}<br><span class="quiet">{}</span></span></span>',
            line,
            f"{row.usage.day:,} in a day",
            f"{row.usage.week:,} in a week",
        )

    @admin.display(description="sent by")
    def sent_by(self, row: Any) -> str:
        """Return the sources of the last week, the busiest first."""
        counts = sort_counts(row.usage.by_source) if row.usage is not None else []
        names = [name_source(row.source_names, source) for source, _ in counts]
        more = f" and {len(names) - _NAMED_SOURCES} more" if len(names) > _NAMED_SOURCES else ""
        return ", ".join(names[:_NAMED_SOURCES]) + more or "–"

    @admin.display(description="schema")
    def schema_state(self, row: Any) -> str:
        """Return the version in force and what becomes of misfits, or how many a day brought; or that none is."""
        if row.in_force is None:
            draft = format_html(' <span class="badge info">{}</span>', "a draft waits") if row.has_draft else ""
            return format_html('<span class="quiet">{}</span>{}', "none", draft)
        tone, words = _POLICIES[row.policy]
        number = row.usage.misfits if row.usage is not None else 0
        told = f"{number:,} misfits taken" if number else f"misfits {words}"
        return format_html(
            '<span class="wrap"><span class="badge good">version {}</span><br><span class="badge {}">{}</span></span>',
            row.in_force.number,
            "warning" if number else tone,
            told,
        )
