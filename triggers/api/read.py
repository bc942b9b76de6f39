"""Reading back what was decided, so that an app's own tests can check a trigger."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from tracking.api.paging import make_page, read_cursor, read_limit
from tracking.api.read import ReadView
from tracking.api.schemas import PAGING, REFUSED
from tracking.event import compute_user_profile_id
from tracking.models import Profile
from triggers.models import Activation, Delivery, DeliveryState, Rule


class ActivationOut(serializers.Serializer[Any]):
    """A rule that matched a person because of an event."""

    id = serializers.UUIDField()
    rule = serializers.CharField()
    rule_id = serializers.IntegerField()
    event_id = serializers.UUIDField()
    user_id = serializers.CharField(allow_null=True)
    occurred_at = serializers.DateTimeField()
    trace = serializers.DictField()


class ActivationPage(serializers.Serializer[Any]):
    """A page of activations, newest last."""

    results = ActivationOut(many=True)
    next = serializers.URLField(allow_null=True)


class DeliveryOut(serializers.Serializer[Any]):
    """A message: where it stands, and why."""

    id = serializers.UUIDField()
    activation_id = serializers.UUIDField()
    rule = serializers.CharField()
    rule_id = serializers.IntegerField()
    user_id = serializers.CharField(allow_null=True)
    channel = serializers.CharField()
    state = serializers.ChoiceField(DeliveryState.choices)
    reason = serializers.CharField()
    detail = serializers.CharField()
    attempts = serializers.IntegerField()
    due_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


class DeliveryPage(serializers.Serializer[Any]):
    """A page of deliveries, newest last."""

    results = DeliveryOut(many=True)
    next = serializers.URLField(allow_null=True)


FILTERS = [
    OpenApiParameter("user_id", str, description="Only for this user."),
    OpenApiParameter("rule", str, description="Only of this rule, by name or number."),
]
STATE = OpenApiParameter("state", str, enum=DeliveryState.values, description="Only in this state.")


class ActivationsView(ReadView):
    """Which rules matched."""

    @extend_schema(
        operation_id="list_activations",
        summary="Which rules matched, and why",
        parameters=[*FILTERS, STATE, *PAGING],
        responses={200: ActivationPage, **REFUSED},
        tags=["Read"],
    )
    def get(self, request: Request) -> Response:
        """Return a page of activations, newest last; `state` is that of their message."""
        limit, rules = read_limit(request), _load_rules()
        rows = _filter(request, Activation.objects.all(), rules)
        state = _read_state(request)
        if state:
            rows = rows.filter(id__in=Delivery.objects.filter(state=state).values("activation_id"))
        found = list(rows.order_by("id")[: limit + 1])
        users = _load_users(found)

        def describe(row: Activation) -> dict[str, Any]:
            own = {"id": row.pk, "rule": rules.get(row.rule_id, ""), "rule_id": row.rule_id, "event_id": row.event_id}
            return own | {"user_id": users.get(row.profile_id), "occurred_at": row.occurred_at, "trace": row.trace}

        return Response(make_page(request, found, limit, describe))


class DeliveriesView(ReadView):
    """Which messages are planned, sent, dropped, and why."""

    @extend_schema(
        operation_id="list_deliveries",
        summary="Which messages were planned, sent or dropped, and why",
        parameters=[*FILTERS, STATE, *PAGING],
        responses={200: DeliveryPage, **REFUSED},
        tags=["Read"],
    )
    def get(self, request: Request) -> Response:
        """Return a page of deliveries, newest last."""
        limit, rules = read_limit(request), _load_rules()
        rows = _filter(request, Delivery.objects.defer("message"), rules)
        state = _read_state(request)
        if state:
            rows = rows.filter(state=state)
        found = list(rows.order_by("id")[: limit + 1])
        users = _load_users(found)
        same = ("activation_id", "rule_id", "channel", "state", "reason", "detail", "attempts", "due_at", "expires_at")

        def describe(row: Delivery) -> dict[str, Any]:
            own = {"id": row.pk, "rule": rules.get(row.rule_id, ""), "user_id": users.get(row.profile_id)}
            return own | {name: getattr(row, name) for name in same}

        return Response(make_page(request, found, limit, describe))


def _filter(request: Request, rows: QuerySet[Any], rules: dict[int, str]) -> QuerySet[Any]:
    rows = rows.filter(id__gt=read_cursor(request))
    user_id, rule = request.query_params.get("user_id"), request.query_params.get("rule")
    if user_id:
        known = compute_user_profile_id(user_id)
        joined = Profile.objects.filter(pk=known).values_list("joined", flat=True).first() or {}
        rows = rows.filter(profile_id__in=[known, *map(UUID, joined)])
    if rule:
        ids = [rule_id for rule_id, name in rules.items() if rule in (name, str(rule_id))]
        rows = rows.filter(rule_id__in=ids)
    return rows


def _read_state(request: Request) -> str | None:
    state = request.query_params.get("state")
    if state and state not in DeliveryState.values:
        raise ValidationError({"state": [f"One of {', '.join(DeliveryState.values)}."]}, code="invalid_state")
    return state


def _load_rules() -> dict[int, str]:
    return dict(Rule.objects.values_list("id", "name"))


def _load_users(rows: list[Any]) -> dict[UUID, str | None]:
    people = Profile.objects.filter(id__in={row.profile_id for row in rows})
    return dict(people.values_list("id", "user_id"))
