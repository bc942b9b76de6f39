"""The usual Django way, to compare with: a serializer, an ORM create and a task for each event."""

import os
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "engagement.settings")
django.setup()

from celery import shared_task  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection  # noqa: E402
from django.urls import include, path  # noqa: E402
from rest_framework import serializers  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from engagement.local.children import die_with_parent  # noqa: E402
from tracking.event import compute_user_profile_id  # noqa: E402
from tracking.models import Event, SourceKey  # noqa: E402


class _EventSerializer(serializers.Serializer[Any]):
    event = serializers.CharField(max_length=200)
    user_id = serializers.CharField(max_length=255)
    message_id = serializers.CharField(max_length=255)
    product_id = serializers.CharField()
    price = serializers.FloatField()
    category = serializers.CharField()
    path = serializers.CharField()


@shared_task(queue="nobody")
def evaluate_one(event_id: str) -> None:
    """What the usual way starts for each event."""


class BaselineView(APIView):
    """Into the same table with the same indexes."""

    def post(self, request: Any) -> Response:
        """Check the key, validate, store, start a task."""
        key = request.headers["Authorization"].partition(" ")[2]
        source = SourceKey.objects.select_related("source").get(value=key).source
        serializer = _EventSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        data = dict(serializer.validated_data)
        now = datetime.now(UTC)
        profile_id = compute_user_profile_id(data.pop("user_id"))
        with connection.cursor() as cursor:
            cursor.execute("select nextval('event_seq_seq')")
            seq = cursor.fetchone()[0]
        event = Event.objects.create(
            id=_make_uuid7(now),
            seq=seq,
            lane=profile_id.int & 63,
            profile_id=profile_id,
            name=data.pop("event"),
            message_id=data.pop("message_id"),
            properties=data,
            source_id=source.pk,
            origin=0,
            occurred_at=now,
            received_at=now,
        )
        evaluate_one.delay(str(event.pk))
        return Response({"id": event.pk}, status=201)


def _make_uuid7(now: datetime) -> Any:
    drawn = uuid4()
    return type(drawn)(int=(int(now.timestamp() * 1000) << 80) | (drawn.int & ((1 << 80) - 1)))


urlpatterns = [path("", include("engagement.urls")), path("baseline", BaselineView.as_view())]
settings.ROOT_URLCONF = "benchmarks.baseline"
application = get_wsgi_application()
die_with_parent()
