"""Destinations: where copies go, how that does, and the buttons that try, pause and stop it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from unfold.views import ChangeList as UnfoldChangeList

from engagement.lib.say import mark_moment, say_moment
from tracking.admin.deletions import CountedDeletion
from triggers.admin.destination_form import COPIED, FORMS
from triggers.admin.destination_words import draw_sent, load_refusals, load_standings, say_choice
from triggers.forward.standing import MOST_STRIKES
from triggers.forward.switch import pause, resume, switch_off, switch_on
from triggers.forward.trial import try_destination
from triggers.models import Destination, DestinationKind, DestinationState, RefusedCopy

_KINDS = (
    (DestinationKind.WEBHOOK, "webhook", "A server of your own, or any that takes JSON: signed by Standard Webhooks."),
    (DestinationKind.GA4, "monitoring", "Events for the reports of a web stream, by the Measurement Protocol."),
    (DestinationKind.MIXPANEL, "query_stats", "Events and people of a project, by its import."),
)
# After saving the page comes back: there it is tried and switched on.
_PLAIN_SAVE = {"show_save_and_add_another": False, "show_save_and_continue": False}
_SWITCHES: dict[str, tuple[Callable[[Destination], bool | None], str]] = {
    "on": (switch_on, "“{}” is sent what happens from now on."),
    "resume": (resume, "“{}” goes on where it was."),
    "pause": (pause, "“{}” is paused. What happens meanwhile is kept for it."),
    "off": (switch_off, "“{}” is off."),
}


class DestinationList(UnfoldChangeList):  # type: ignore[misc]
    """A page of destinations with how each does."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the page, then how all of its rows do."""
        super().get_results(request)
        rows: list[Any] = list(self.result_list)  # type: ignore[has-type]
        standings = load_standings(rows)
        for row in rows:
            row.standing = standings[row.pk]
        self.result_list = rows


@admin.register(Destination)
class DestinationAdmin(CountedDeletion):
    """Other systems that are told what happens here."""

    list_display = ("name", "kind_says", "state_says", "waiting", "last_day", "trouble")
    search_fields = ("name",)
    actions = None
    belongings = ((RefusedCopy, "destination"),)
    list_per_page = 20
    change_form_template = "admin/triggers/destination_form.html"
    conditional_fields = {
        "event_names": "events == 'some'",
        "other_names": "events == 'some'",
        "rule_ids": "activations == 'some'",
    }
    empty_title = "Nothing is copied to another system yet"
    empty_hint = (
        "A destination is told what happens here, event by event: your own server by a webhook, Google Analytics 4 or "
        "Mixpanel."
    )

    def get_urls(self) -> list[URLPattern]:
        """Add the test and the switch."""
        wrap: Callable[..., Any] = self.admin_site.admin_view
        own = [
            path("<int:destination_id>/test/", wrap(self.send_test), name="triggers_destination_test"),
            path("<int:destination_id>/switch/", wrap(self.switch), name="triggers_destination_switch"),
        ]
        return [*own, *super().get_urls()]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list with how each does."""
        return DestinationList

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Return the form of the destination's kind."""
        form = FORMS[obj.kind if obj is not None else request.GET["kind"]]
        return super().get_form(request, obj, change, **kwargs | {"form": form})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return where it goes, and what goes there; who may only look reads that in words."""
        if obj is not None and not self.has_change_permission(request, obj):
            return [(None, {"fields": ("name",)})]
        form = FORMS[obj.kind if obj is not None else request.GET["kind"]]
        own = [name for name in form.base_fields if name not in COPIED and name != "name"]
        if obj is None:
            own = [name for name in own if name != "makes_secret"]
        kind = f"Where to: {form.kind.label}"
        return [(kind, {"fields": ("name", *own)}), ("What is copied", {"fields": COPIED})]

    @admin.display(description="kind")
    def kind_says(self, destination: Destination) -> str:
        """Return the kind."""
        return DestinationKind(destination.kind).label

    @admin.display(description="state")
    def state_says(self, destination: Any) -> str:
        """Return the state, and since when it fails."""
        badge, since = str(destination.standing.badge), destination.standing.progress.failing_since
        if since is None or destination.state != DestinationState.ON:
            return badge
        return format_html('<span class="wrap">{}<br>since {}</span>', destination.standing.badge, mark_moment(since))

    @admin.display(description="waiting")
    def waiting(self, destination: Any) -> str:
        """Return how far it is behind."""
        is_off = destination.state == DestinationState.OFF
        return "–" if is_off else format_html('<span class="wrap">{}</span>', destination.standing.waiting)

    @admin.display(description="last 24 hours")
    def last_day(self, destination: Any) -> str:
        """Return what was sent and refused."""
        standing = destination.standing
        return f"{standing.sent:,} sent" + (f", {standing.refused:,} refused" if standing.refused else "")

    @admin.display(description="last trouble")
    def trouble(self, destination: Any) -> str:
        """Return what went wrong last."""
        progress = destination.standing.progress
        if not progress.error:
            return "none"
        return format_html(
            '<span class="wrap">{} <span class="quiet">{}</span></span>', progress.error, say_moment(progress.error_at)
        )

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask for the kind first."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        kind = request.GET.get("kind")
        if kind not in FORMS:
            context = {**self.admin_site.each_context(request), "title": "Add a destination", "kinds": _KINDS}
            return TemplateResponse(request, "admin/triggers/destination_kinds.html", context)
        return super().add_view(request, form_url, _PLAIN_SAVE | (extra_context or {}))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the form with how it goes."""
        destination = self.get_object(request, object_id)
        context = describe_destination(destination) if destination is not None else {}
        context["may_switch"] = request.user.has_perm("triggers.switch_destination")
        return super().change_view(request, object_id, form_url, context | _PLAIN_SAVE | (extra_context or {}))

    def save_model(self, request: HttpRequest, obj: Destination, form: Any, change: bool) -> None:
        """Save what the form has, and not the state, which a worker or somebody else may have changed meanwhile."""
        request.new_secret = form.new_secret  # type: ignore[attr-defined]
        own = [field.name for field in obj._meta.concrete_fields if field.name not in ("id", "state", "created_at")]
        obj.save(update_fields=own if change else None)

    def response_add(
        self, request: HttpRequest, obj: Destination, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show a new secret for the only time; else go on to the page from which it is tried and switched on."""
        return self._show_secret(request, obj) or HttpResponseRedirect(_find_page(obj.pk))

    def response_change(self, request: HttpRequest, obj: Destination) -> HttpResponse:
        """Show a new secret for the only time."""
        shown = self._show_secret(request, obj)
        if shown is not None:
            return shown
        messages.success(request, f"“{obj.name}” is saved.")
        return HttpResponseRedirect(_find_page(obj.pk))

    def delete_model(self, request: HttpRequest, obj: Destination) -> None:
        """Forget its place in the log too."""
        switch_off(obj)
        super().delete_model(request, obj)

    def send_test(self, request: HttpRequest, destination_id: int) -> HttpResponse:
        """Send a test event and show the answer."""
        if request.method != "POST" or not request.user.has_perm("triggers.switch_destination"):
            raise PermissionDenied
        destination = get_object_or_404(Destination, pk=destination_id)
        trial = try_destination(destination, datetime.now(UTC))
        if trial.is_taken:
            messages.success(request, f"The test event was taken. {trial.says}")
        else:
            messages.error(request, f"The test event was not taken. {trial.says}")
        return HttpResponseRedirect(_find_page(destination_id))

    def switch(self, request: HttpRequest, destination_id: int) -> HttpResponse:
        """Switch on, pause, resume; switch off after a warning."""
        to = request.POST.get("to") or request.GET.get("to")
        if not request.user.has_perm("triggers.switch_destination") or to not in _SWITCHES:
            raise PermissionDenied
        destination = get_object_or_404(Destination, pk=destination_id)
        if request.method != "POST":
            return self._ask_to_switch_off(request, destination)
        turn, words = _SWITCHES[to]
        if turn(destination) is False:
            messages.error(request, f"“{destination.name}” was switched off meanwhile: it has no place in the log.")
            return HttpResponseRedirect(_find_page(destination_id))
        self.log_change(request, destination, f"Switched: {to}.")
        messages.success(request, words.format(destination.name))
        return HttpResponseRedirect(_find_page(destination_id))

    def _ask_to_switch_off(self, request: HttpRequest, destination: Destination) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"Switch off “{destination.name}”?",
            "destination": destination,
            "standing": load_standings([destination])[destination.pk],
        }
        return TemplateResponse(request, "admin/triggers/destination_off.html", context)

    def _show_secret(self, request: HttpRequest, destination: Destination) -> HttpResponse | None:
        secret = request.new_secret  # type: ignore[attr-defined]
        if not secret:
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": destination.name,
            "destination": destination,
            "secret": secret,
        }
        response = TemplateResponse(request, "admin/triggers/destination_secret.html", context)
        response["Cache-Control"] = "no-store"
        return response


def describe_destination(destination: Destination) -> dict[str, Any]:
    """Return what a destination's page shows beside its form."""
    return {
        "destination": destination,
        "kind": DestinationKind(destination.kind).label,
        "standing": load_standings([destination])[destination.pk],
        "choice": say_choice(destination),
        "chart": draw_sent(destination),
        "refusals": load_refusals(destination),
        "most_strikes": MOST_STRIKES,
        "address": destination.settings.get("url") or destination.settings.get("endpoint", ""),
    }


def _find_page(destination_id: int) -> str:
    return reverse("admin:triggers_destination_change", args=[destination_id])
