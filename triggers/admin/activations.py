"""Activations: which rule matched whom, and why."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from engagement.lib.pages import KeysetAdmin
from engagement.lib.say import moment_column
from tracking.models import Event
from triggers.admin.filters import RuleFilter
from triggers.admin.people_names import NamedChangeList, link_person, load_people_names
from triggers.models import Activation, Delivery, Rule, RuleVersion


@admin.register(Activation)
class ActivationAdmin(KeysetAdmin):
    """What the rules decided."""

    list_display = ("rule_says", "person", moment_column("occurred_at", "happened"))
    list_filter = (RuleFilter,)
    change_form_template = "admin/triggers/activation.html"
    fields = ("id",)
    empty_title = "No rule has matched anybody yet"
    empty_hint = "As soon as an active rule matches what somebody did, or a silence, it is told here with its reasons."
    empty_link = ("Go to the rules", "admin:triggers_rule_changelist")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list with names."""
        return NamedChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Activation]:
        """Leave the traces to the page that shows one."""
        rows: QuerySet[Activation] = super().get_queryset(request)
        return rows

    @admin.display(description="rule")
    def rule_says(self, activation: Any) -> str:
        """Return the rule's name."""
        return str(activation.rule_name)

    @admin.display(description="person")
    def person(self, activation: Any) -> str:
        """Return the person."""
        return link_person(activation.profile_id, activation.person_name)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the activation with its trace, its event and its messages."""
        activation = self.get_object(request, object_id)
        context: dict[str, Any] = {}
        if activation is not None:
            context = {
                "activation": activation,
                "rule": Rule.objects.filter(pk=activation.rule_id).first(),
                "version": RuleVersion.objects.filter(pk=activation.rule_version_id).first(),
                "event": Event.objects.filter(pk=activation.event_id).first(),
                "person_name": load_people_names([activation.profile_id]).get(activation.profile_id, "somebody"),
                "deliveries": Delivery.objects.filter(
                    profile_id=activation.profile_id, activation_id=activation.pk
                ).defer("message"),
            }
        return super().change_view(request, object_id, form_url, (extra_context or {}) | context)
