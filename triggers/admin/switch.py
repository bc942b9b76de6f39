"""The one switch that stops all sending."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from engagement.lib.pages import RecordAdmin
from triggers.models import Delivery, DeliveryState, SendingSwitch

_MOST = 10_000


@admin.register(SendingSwitch)
class SwitchAdmin(RecordAdmin):
    """Shows the switch in place of a list, and turns it."""

    def get_urls(self) -> list[URLPattern]:
        """Add the turning of the switch."""
        turn = self.admin_site.admin_view(self.turn)
        return [path("turn/", turn, name="triggers_sendingswitch_turn"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show whether anything is sent, and what waits."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        waiting = Delivery.objects.filter(state=DeliveryState.PLANNED)[:_MOST].count()
        context = {
            **self.admin_site.each_context(request),
            "title": "Sending switch",
            "switch": SendingSwitch.objects.filter(pk=1).first() or SendingSwitch(),
            "waiting": waiting,
            "is_more": waiting == _MOST,
            "may_turn": request.user.has_perm("triggers.stop_sending"),
        }
        return TemplateResponse(request, "admin/triggers/switch.html", context)

    def turn(self, request: HttpRequest) -> HttpResponse:
        """Stop all sending, or let it go on."""
        if not request.user.has_perm("triggers.stop_sending") or request.method != "POST":
            raise PermissionDenied
        is_stopped = request.POST.get("stop") == "1"
        values = {
            "is_stopped": is_stopped,
            "stopped_at": datetime.now(UTC) if is_stopped else None,
            "stopped_by": request.user.get_username() if is_stopped else "",
        }
        switch, _ = SendingSwitch.objects.update_or_create(pk=1, defaults=values)
        self.log_change(request, switch, "Stopped all sending." if is_stopped else "Let sending go on.")
        messages.success(request, "All sending is stopped." if is_stopped else "Messages are sent again.")
        return HttpResponseRedirect(reverse("admin:triggers_sendingswitch_changelist"))
