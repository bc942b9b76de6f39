"""Deliveries: where each message stands and why; and those in doubt, for a person to settle."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator

from engagement.lib.pages import KeysetAdmin
from engagement.lib.say import moment_column
from tracking.models import Event
from triggers.admin.filters import RuleFilter, StateFilter
from triggers.admin.people_names import NamedChangeList, link_person, load_people_names
from triggers.deliver.settle import settle_in_doubt
from triggers.delivery_words import say_reason, show_state
from triggers.models import Attempt, Delivery, DeliveryState, Rule, TemplateVersion

_SHOWN_IN_DOUBT = 200
_FRAME_POLICY: dict[str, Any] = {
    "default-src": [NONE],
    "style-src": [UNSAFE_INLINE],
    "img-src": ["data:", "https:"],
    "base-uri": [NONE],
    "form-action": [NONE],
    "frame-ancestors": [SELF],
    "sandbox": [""],
}


@admin.register(Delivery)
class DeliveryAdmin(KeysetAdmin):
    """Every message that a rule led to."""

    list_display = ("rule_says", "person", "state_says", "why", "attempts", moment_column("updated_at", "since"))
    list_filter = (StateFilter, RuleFilter)
    scanning_filters = ("state",)
    fields = ("id",)
    change_form_template = "admin/triggers/delivery.html"
    empty_title = "No message has been planned yet"
    empty_hint = "When a rule with a template matches somebody, the message appears here with all that becomes of it."
    empty_link = ("Go to the rules", "admin:triggers_rule_changelist")

    def get_urls(self) -> list[URLPattern]:
        """Add the list in doubt, its two answers, and the frame with the exact message."""
        wrap: Callable[..., Any] = self.admin_site.admin_view
        own = [
            path("in-doubt/", wrap(self.show_in_doubt), name="triggers_delivery_in_doubt"),
            path("<uuid:delivery_id>/settle/", wrap(self.settle), name="triggers_delivery_settle"),
            path("<uuid:delivery_id>/message/", wrap(self.show_message), name="triggers_delivery_message"),
        ]
        return [*own, *super().get_urls()]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list with names."""
        return NamedChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        """Leave the messages to the page that shows one."""
        return super().get_queryset(request).defer("message")

    @admin.display(description="rule")
    def rule_says(self, delivery: Any) -> str:
        """Return the rule's name."""
        return str(delivery.rule_name)

    @admin.display(description="person")
    def person(self, delivery: Any) -> str:
        """Return the person."""
        return link_person(delivery.profile_id, delivery.person_name)

    @admin.display(description="state")
    def state_says(self, delivery: Delivery) -> str:
        """Return the state."""
        return show_state(delivery)

    @admin.display(description="why")
    def why(self, delivery: Delivery) -> str:
        """Return the reason."""
        return say_reason(delivery.reason, delivery.detail)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the delivery with its attempts and the exact message."""
        delivery = self.get_object(request, object_id)
        context = describe_delivery(delivery) if delivery is not None else {}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | context)

    def show_in_doubt(self, request: HttpRequest) -> HttpResponse:
        """List what only a person can settle, the oldest first."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = Delivery.objects.filter(state=DeliveryState.IN_DOUBT).defer("message").order_by("updated_at")
        found = list(rows[:_SHOWN_IN_DOUBT])
        rules, people = dict(Rule.objects.values_list("pk", "name")), load_people_names(row.profile_id for row in found)
        context = {
            **self.admin_site.each_context(request),
            "title": "In doubt",
            "deliveries": [
                {
                    "row": row,
                    "rule": rules.get(row.rule_id, ""),
                    "person": people.get(row.profile_id, "somebody"),
                    "reason": say_reason(row.reason, row.detail),
                }
                for row in found
            ],
            "may_settle": request.user.has_perm("triggers.settle_delivery"),
        }
        return TemplateResponse(request, "admin/triggers/in_doubt.html", context)

    def settle(self, request: HttpRequest, delivery_id: UUID) -> HttpResponse:
        """Say that a message arrived, or, after a warning, have it sent again."""
        if not request.user.has_perm("triggers.settle_delivery"):
            raise PermissionDenied
        if request.method != "POST":
            return self._ask_to_send_again(request, delivery_id)
        arrived = request.POST.get("answer") == "arrived"
        if settle_in_doubt(delivery_id, arrived=arrived, by=request.user.get_username()):
            words = "Noted: it arrived." if arrived else "It is sent again, if nothing speaks against it by then."
            messages.success(request, words)
        else:
            messages.warning(request, "This delivery is not in doubt any more.")
        return HttpResponseRedirect(reverse("admin:triggers_delivery_in_doubt"))

    def _ask_to_send_again(self, request: HttpRequest, delivery_id: UUID) -> HttpResponse:
        delivery = Delivery.objects.filter(pk=delivery_id, state=DeliveryState.IN_DOUBT).first()
        if delivery is None:
            raise Http404("There is no such delivery in doubt.")
        context = {
            **self.admin_site.each_context(request),
            "title": "Send it again?",
            "delivery": delivery,
            "subject": (delivery.message or {}).get("subject", ""),
        }
        return TemplateResponse(request, "admin/triggers/send_again.html", context)

    @method_decorator(csp_replace(_FRAME_POLICY))
    def show_message(self, request: HttpRequest, delivery_id: UUID) -> HttpResponse:
        """Answer with the message's HTML as a frame may hold it: no scripts, no forms, no requests of its own."""
        delivery = Delivery.objects.filter(pk=delivery_id).first()
        if delivery is None or not self.has_view_permission(request, delivery):
            raise Http404("There is no such delivery.")
        return HttpResponse((delivery.message or {}).get("html", ""))


def describe_delivery(delivery: Delivery) -> dict[str, Any]:
    """Return what a delivery's page shows."""
    version = TemplateVersion.objects.filter(pk=delivery.template_version_id or 0).select_related("template").first()
    return {
        "delivery": delivery,
        "state": show_state(delivery),
        "reason": say_reason(delivery.reason, delivery.detail),
        "rule": Rule.objects.filter(pk=delivery.rule_id).first(),
        "version": version,
        "event": Event.objects.filter(pk=delivery.event_id).first(),
        "person_name": load_people_names([delivery.profile_id]).get(delivery.profile_id, "somebody"),
        "attempts": list(Attempt.objects.filter(delivery_id=delivery.pk, lane=delivery.lane).order_by("number")),
    }
