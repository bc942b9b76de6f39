"""The filters of long lists, each answered by an index."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from triggers.models import DeliveryState, Rule

_MOST = 200


class RuleFilter(admin.SimpleListFilter):
    """One rule."""

    title = "rule"
    parameter_name = "rule"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the rules' names."""
        return [(str(pk), name) for pk, name in Rule.objects.order_by("name").values_list("pk", "name")[:_MOST]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows of the rule."""
        value = self.value()
        return queryset.filter(rule_id=int(value)) if value and value.isdecimal() else queryset


class StateFilter(admin.SimpleListFilter):
    """One state of deliveries."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the states."""
        return [(str(value), str(label)) for value, label in DeliveryState.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows in the state."""
        value = self.value()
        return queryset.filter(state=value) if value in DeliveryState.values else queryset
