"""The event log, newest first."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.contrib.filters.admin import FieldTextFilter

from engagement.lib.pages import KeysetAdmin
from engagement.lib.say import moment_column
from engagement.templatetags.office import as_json
from tracking.models import Event, Source


@admin.register(Event)
class EventAdmin(KeysetAdmin):
    """What was reported, what silences became, and what the platform noted."""

    list_display = ("name", "who", "source_name", "origin_name", moment_column("occurred_at", "happened"))
    list_filter = (("name", FieldTextFilter),)
    scanning_filters = ("name",)
    fields = readonly_fields = (
        "id",
        "name",
        "who",
        "source_name",
        "origin_name",
        moment_column("occurred_at", "happened"),
        moment_column("received_at", "received"),
        "message_id",
        "user_id",
        "anonymous_id",
        "visitor_kind",
        "pretty_properties",
        "pretty_context",
        "seq",
    )
    empty_title = "No event has arrived yet"
    empty_hint = "Make a source, then send its first event with the line that its page shows."
    empty_link = ("Go to the sources", "admin:tracking_source_changelist")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Know the sources' names once for all rows."""
        request.source_names = dict(Source.objects.values_list("pk", "name"))  # type: ignore[attr-defined]
        return super().changelist_view(request, extra_context)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        """Read only what a list shows; properties may be large."""
        rows = super().get_queryset(request)
        names = getattr(request, "source_names", None)
        self.source_names = names if names is not None else dict(Source.objects.values_list("pk", "name"))
        return rows.defer("properties", "context") if names is not None else rows

    @admin.display(description="who")
    def who(self, event: Event) -> str:
        """Return the person, with a link to their page."""
        name = event.user_id or f"anonymous {event.anonymous_id or ''}"
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:tracking_profile_change", args=[event.profile_id]), name
        )

    @admin.display(description="source")
    def source_name(self, event: Event) -> str:
        """Return the source's name."""
        return self.source_names.get(event.source_id or 0, "the platform")

    @admin.display(description="origin")
    def origin_name(self, event: Event) -> str:
        """Return where it comes from."""
        return event.get_origin_display()

    @admin.display(description="sent by")
    def visitor_kind(self, event: Event) -> str:
        """Return what the door saw of who sent it."""
        if not event.context.get("$public"):
            return "a server, or the platform"
        return "a bot, by its user agent" if event.context.get("$bot") else "a page or an app"

    @admin.display(description="properties")
    def pretty_properties(self, event: Event) -> str:
        """Return the properties as JSON."""
        return format_html("<pre>{}</pre>", as_json(event.properties))

    @admin.display(description="context")
    def pretty_context(self, event: Event) -> str:
        """Return the context as JSON."""
        return format_html("<pre>{}</pre>", as_json(event.context))
