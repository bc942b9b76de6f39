"""Webhooks: what a foreign system sends, mapped to events beside a live preview of its last payloads."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from unfold.views import ChangeList as UnfoldChangeList

from engagement.lib.say import say_moment
from engagement.lib.seal import seal
from tracking.admin.deletions import CountedDeletion
from tracking.admin.hook_form import HookForm, write_preset
from tracking.admin.hook_page import describe_address, describe_page, say_day, show_state, write_body
from tracking.admin.hook_preview import preview
from tracking.admin.quarantine_groups import wake_sender
from tracking.again import start_mapping_again
from tracking.event import Stamp
from tracking.hooks.known import forget_hooks
from tracking.hooks.secrets import OVERLAP, end_former_secret, find_fault, make_secret, replace_secret
from tracking.hooks.state import HookState, load_states
from tracking.models import Hook, HookPayload
from tracking.wire.hooks.presets import PRESETS
from tracking.wire.hooks.signatures import STYLES


class HookList(UnfoldChangeList):  # type: ignore[misc]
    """A page of webhooks, with how each is doing."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the page, then the states of all its rows at once."""
        super().get_results(request)
        rows: list[Any] = list(self.result_list)  # type: ignore[has-type]
        states = load_states([row.pk for row in rows], datetime.now(UTC))
        for row in rows:
            row.state = states[row.pk]
        self.result_list = rows


@admin.register(Hook)
class HookAdmin(CountedDeletion):
    """The addresses at which foreign systems report."""

    form = HookForm
    fields = ("source", "name", "style", "header", "is_enabled")
    list_display = ("name", "source", "state_says", "last_received", "last_day", "last_failure")
    list_filter = ("source",)
    list_select_related = ("source",)
    search_fields = ("name", "source__name")
    actions = None
    belongings = ((HookPayload, "hook"),)
    holds = "hook"
    change_form_template = "admin/tracking/hook_form.html"
    empty_title = "No foreign system reports here yet"
    empty_hint = (
        "A webhook is an address at which a shop, a payment provider or any other system reports: each payload is "
        "verified, mapped to an event and can start rules."
    )

    def get_urls(self) -> list[URLPattern]:
        """Add what the page's script asks for, and the steps."""
        wrap = self.admin_site.admin_view
        own = [
            path("preview/", wrap(self.show_preview), name="tracking_hook_preview"),
            path("payload/<int:payload_id>/", wrap(self.show_payload), name="tracking_hook_payload"),
            path("<int:hook_id>/replace-secret/", wrap(self.replace_secret), name="tracking_hook_replace_secret"),
            path("<int:hook_id>/end-former/", wrap(self.end_former), name="tracking_hook_end_former"),
            path("<int:hook_id>/again/", wrap(self.try_again), name="tracking_hook_again"),
        ]
        return [*own, *super().get_urls()]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list with its states."""
        return HookList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Hook]:
        """Read with the sources: each row names its own."""
        rows: QuerySet[Hook] = super().get_queryset(request)
        return rows.select_related("source")

    @admin.display(description="state")
    def state_says(self, hook: Any) -> str:
        """Return how it is doing."""
        return show_state(hook, hook.state)

    @admin.display(description="last received")
    def last_received(self, hook: Any) -> str:
        """Return when a payload was verified last."""
        return say_moment(hook.state.received_at)

    @admin.display(description="last 24 hours")
    def last_day(self, hook: Any) -> str:
        """Return what came of the payloads of a day."""
        return say_day(hook.state)

    @admin.display(description="last failure")
    def last_failure(self, hook: Any) -> str:
        """Return why a payload was refused last."""
        state: HookState = hook.state
        if state.failed_at is None:
            return "none"
        return format_html('<span class="wrap">{}<br>{}</span>', say_moment(state.failed_at), state.failure)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin with the source that was asked for, and with what is known of a sender."""
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        preset = PRESETS.get(initial.pop("preset", ""))
        return initial | (write_preset(preset) | {"name": preset.name} if preset is not None else {})

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the form with the payloads to try it on."""
        hook = self.get_object(request, object_id) if object_id else None
        context = describe_page(hook, request.GET.get("preset", ""))
        context["may_mend"] = request.user.has_perm("tracking.change_quarantined")
        return super().changeform_view(request, object_id, form_url, (extra_context or {}) | context)

    def save_model(self, request: HttpRequest, obj: Hook, form: Any, change: bool) -> None:
        """Save, a new one with its secret, and let this process know at once."""
        if not change:
            secret = form.cleaned_data["secret"] or make_secret(STYLES[obj.style])
            obj.secret = seal(secret)
            request.hook_secret = secret  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)
        forget_hooks()

    def delete_model(self, request: HttpRequest, obj: Hook) -> None:
        """Delete, and let this process know at once."""
        super().delete_model(request, obj)
        forget_hooks()

    def response_add(self, request: HttpRequest, obj: Hook, post_url_continue: str | None = None) -> HttpResponse:
        """Show the address and the secret, for the only time."""
        return self._show_secret(request, obj, request.hook_secret)  # type: ignore[attr-defined]

    def show_preview(self, request: HttpRequest) -> JsonResponse:
        """Answer with what the form's mapping makes of a payload."""
        self._allow_edit(request)
        number = request.POST.get("hook", "")
        space = f"hook-{number}" if number.isdecimal() else "hook-0"
        retention = timedelta(days=settings.RETENTION_DAYS)
        stamp = Stamp(source_id=0, now=datetime.now(UTC), retention=retention, is_public=False)
        found = preview(request.POST, space, request.POST.get("name", ""), stamp)
        return JsonResponse(
            {"result": found.result, "says": found.says, "event": found.event, "notes": found.notes},
        )

    def show_payload(self, request: HttpRequest, payload_id: int) -> JsonResponse:
        """Answer with one of the last payloads."""
        self._allow_edit(request)
        row = get_object_or_404(HookPayload, pk=payload_id)
        return JsonResponse({"body": write_body(bytes(row.body)), "headers": row.headers})

    def replace_secret(self, request: HttpRequest, hook_id: int) -> HttpResponse:
        """Ask, then give the webhook a new secret beside its present one."""
        hook = self._find(request, hook_id)
        style = STYLES[hook.style]
        fault = ""
        if request.method == "POST":
            secret = request.POST.get("secret", "").strip()
            fault = find_fault(secret, style) if secret else ""
            if not fault:
                secret = secret or make_secret(style)
                replace_secret(hook, secret, datetime.now(UTC))
                self.log_change(request, hook, "Replaced the secret.")
                messages.warning(request, f"The former secret stays valid for {OVERLAP.days} days.")
                return self._show_secret(request, hook, secret)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Replace the secret of {hook}?",
            "hook": hook,
            "days": OVERLAP.days,
            "fault": fault,
        }
        return TemplateResponse(request, "admin/tracking/hook_replace_secret.html", context)

    def end_former(self, request: HttpRequest, hook_id: int) -> HttpResponse:
        """With POST, refuse the former secret from now on."""
        hook = self._find(request, hook_id)
        if request.method == "POST":
            end_former_secret(hook)
            self.log_change(request, hook, "Ended the former secret.")
            messages.success(request, "The former secret is refused from now on.")
        return HttpResponseRedirect(reverse("admin:tracking_hook_change", args=[hook.pk]))

    def try_again(self, request: HttpRequest, hook_id: int) -> HttpResponse:
        """With POST, map the held payloads by today's mapping."""
        hook = self._find(request, hook_id)
        if not request.user.has_perm("tracking.change_quarantined"):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseRedirect(reverse("admin:tracking_hook_change", args=[hook.pk]))
        run = start_mapping_again(hook, request.user, datetime.now(UTC))  # type: ignore[arg-type]
        self.log_change(request, hook, f"Had {run.total} held payloads mapped again.")
        wake_sender()
        return HttpResponseRedirect(reverse("admin:tracking_quarantined_resending", args=[run.pk]))

    def _allow_edit(self, request: HttpRequest) -> None:
        if not (self.has_change_permission(request) or self.has_add_permission(request)):
            raise PermissionDenied

    def _find(self, request: HttpRequest, hook_id: int) -> Hook:
        hook = get_object_or_404(Hook.objects.select_related("source"), pk=hook_id)
        if not self.has_change_permission(request, hook):
            raise PermissionDenied
        return hook

    def _show_secret(self, request: HttpRequest, hook: Hook, secret: str) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            **describe_address(hook, secret),
            "title": str(hook),
            "hook": hook,
            "secret": secret,
            "next_url": reverse("admin:tracking_hook_change", args=[hook.pk]),
        }
        response = TemplateResponse(request, "admin/tracking/hook_secret.html", context)
        response["Cache-Control"] = "no-store"
        return response
