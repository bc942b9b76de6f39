"""Schemas of event types: edits become versions, one approved version is in force."""

import json
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max

from tracking.models import EventType, SchemaVersion
from tracking.registry import forget_registry
from tracking.schema.compile import parse_schema


def add_draft(event_type: EventType, text: str, by: User | None = None) -> SchemaVersion:
    """Keep an edited schema as the type's next version; nothing is in force by that.

    Raises tracking.schema.compile.SchemaInvalid.
    """
    parse_schema(text)
    with transaction.atomic():
        # Two people who save at once get two numbers.
        EventType.objects.select_for_update().get(pk=event_type.pk)
        last = event_type.versions.aggregate(last=Max("number"))["last"] or 0
        return SchemaVersion.objects.create(event_type=event_type, number=last + 1, schema=text, created_by=by)


def approve_version(version: SchemaVersion, by: User | None, now: datetime) -> None:
    """Put a version in force, a former one too: all processes check by it within two seconds."""
    parse_schema(version.schema)
    with transaction.atomic():
        event_type = EventType.objects.select_for_update().get(pk=version.event_type_id)
        if version.approved_at is None:
            version.approved_at, version.approved_by = now, by
            version.save(update_fields=["approved_at", "approved_by"])
        event_type.in_force = version
        event_type.save(update_fields=["in_force"])
    forget_registry()


def load_schemas() -> dict[str, dict[str, Any] | None]:
    """Return the schema in force of each event that apps send, by name; None where none is."""
    rows = EventType.objects.filter(is_derived=False).order_by("name")
    return {
        name: json.loads(text) if text is not None else None
        for name, text in rows.values_list("name", "in_force__schema")
    }


def withdraw_schema(event_type: EventType) -> None:
    """Have no schema in force: every event of the type fits."""
    EventType.objects.filter(pk=event_type.pk).update(in_force=None)
    forget_registry()
