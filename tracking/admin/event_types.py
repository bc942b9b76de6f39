"""Event types: discovered from traffic; a person says what each means."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html_join

from engagement.lib.pages import PageAdmin
from engagement.lib.say import moment_column
from tracking.models import EventType
from tracking.registry import forget_registry


@admin.register(EventType)
class EventTypeAdmin(PageAdmin):
    """The names that were seen, with the properties seen beside them: what the rule form offers."""

    list_display = ("name", "is_activity", "server_only", "is_derived", moment_column("last_seen_at", "last seen"))
    search_fields = ("name",)
    search_help_text = "Search by name"
    fields = ("name", "is_activity", "server_only", "is_derived", "seen_properties")
    readonly_fields = ("name", "is_derived", "seen_properties")
    actions = None
    empty_title = "No event has been seen yet"
    empty_hint = "Each name appears here by itself with its first event."
    empty_link = ("Go to the sources", "admin:tracking_source_changelist")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Types are discovered, not typed."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A type that came once may come again."""
        return False

    def save_model(self, request: HttpRequest, obj: EventType, form: Any, change: bool) -> None:
        """Save, and let this process know at once."""
        super().save_model(request, obj, form, change)
        forget_registry()

    @admin.display(description="properties seen")
    def seen_properties(self, event_type: EventType) -> str:
        """Return each property's path with its kinds and samples."""
        rows = (
            (path, ", ".join(seen.get("types", ())), ", ".join(str(sample) for sample in seen.get("samples", ())))
            for path, seen in sorted(event_type.properties.items())
        )
        return format_html_join("", "<div><code>{}</code> ({}): {}</div>", rows) or "none"
