"""What is not in the log: read it, mend it, send it again."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from unfold.contrib.filters.admin import FieldTextFilter

from engagement.lib.say import mark_names, moment_column
from tracking.admin.mending import MendForm
from tracking.admin.quarantine_groups import GroupPages, describe_quarantine, show_payload
from tracking.models import Quarantined


@admin.register(Quarantined)
class QuarantineAdmin(GroupPages):
    """Refused and held items, newest first, with their reasons counted above."""

    form = MendForm
    keyset = ("id",)
    list_display = (
        "what",
        "reason",
        "source",
        moment_column("received_at", "when"),
        moment_column("resent_at", "sent again"),
    )
    list_filter = (("code", FieldTextFilter), ("event_name", FieldTextFilter), "source", "is_held")
    list_select_related = ("source",)
    list_before_template = "admin/tracking/quarantine_reasons.html"
    change_form_template = "admin/tracking/quarantine_form.html"
    fields = (
        "source",
        "reason",
        "code",
        moment_column("received_at", "when"),
        moment_column("resent_at", "sent again"),
        "trust",
        "marked",
        "payload_text",
    )
    readonly_fields = fields[:-1]
    empty_title = "Nothing was refused"
    empty_hint = "An item that cannot be taken is kept here with its reason and its payload."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Quarantined]:
        """Read what a list shows; what is held may be a megabyte each."""
        rows: QuerySet[Quarantined] = super().get_queryset(request)
        return rows.defer("payload", "headers")

    def get_urls(self) -> list[URLPattern]:
        """Add the pages of a reason and of sending it again."""
        return [*self.make_group_urls(), *super().get_urls()]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Mending is for whoever may change quarantined items."""
        return request.user.has_perm("tracking.change_quarantined")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What nobody needs may go."""
        return request.user.has_perm("tracking.delete_quarantined")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Say above the list what is open, why, and since when."""
        context = describe_quarantine(datetime.now(UTC))
        return super().changelist_view(request, (extra_context or {}) | context)

    def save_model(self, request: HttpRequest, obj: Quarantined, form: Any, change: bool) -> None:
        """Nothing: the form has done the sending, and noted it."""

    def response_change(self, request: HttpRequest, obj: Quarantined) -> HttpResponseRedirect:
        """Go back to the list."""
        messages.success(request, "Sent again, and accepted.")
        return HttpResponseRedirect(reverse("admin:tracking_quarantined_changelist"))

    @admin.display(description="what")
    def what(self, item: Quarantined) -> str:
        """Return the event's name, and whether it is held."""
        badge = format_html(' <span class="badge warning">{}</span>', "held") if item.is_held else ""
        unnamed = "a webhook’s payload" if item.is_held else "not understood"
        name = format_html("<code>{}</code>", item.event_name) if item.event_name else unnamed
        return format_html("{}{}", name, badge)

    @admin.display(description="why")
    def reason(self, item: Quarantined) -> str:
        """Return the reason in words, and its place."""
        place = format_html(' <code class="quiet">{}</code>', item.field) if item.field else ""
        return format_html('<span class="wrap">{}{}</span>', mark_names(item.message), place)

    @admin.display(description="came from")
    def trust(self, item: Quarantined) -> str:
        """Return how far its sender is trusted; the webhook, where its mapping may have to be mended."""
        if item.hook is not None:
            page = reverse("admin:tracking_hook_change", args=[item.hook.pk])
            return format_html('the webhook <a href="{}">{}</a>', page, item.hook.name)
        return "a page or an app (public key)" if item.is_public else "a server (secret key)"

    @admin.display(description="as it came")
    def marked(self, item: Quarantined) -> str:
        """Return the payload with the failing field marked."""
        return show_payload(item)
