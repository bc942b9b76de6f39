"""Whose are the kept items that were understood? Only their own people's, not of everybody whom they name.

Read by pages; nothing is locked for long. A webhook's payload keeps whom it was found to name when it came.
"""

import msgspec
from django.db import migrations

from tracking.event import Item
from tracking.identities import find_identities, list_people

PAGE = 500


def find_people(apps, schema_editor):
    quarantined = apps.get_model("tracking", "Quarantined")
    kept = quarantined.objects.filter(hook__isnull=True).exclude(dialect="hook").order_by("pk")
    last = 0
    while rows := list(kept.filter(pk__gt=last)[:PAGE]):
        for row in rows:
            row.people = list(_read_people(row)) or find_identities(row.source_id, bytes(row.payload))
        quarantined.objects.bulk_update(rows, ["people"])
        last = rows[-1].pk


def _read_people(row):
    """Only what was understood has a name, and is kept in the platform's own shape, perhaps cut."""
    if not row.event_name:
        return ()
    try:
        item = msgspec.json.decode(bytes(row.payload), type=Item)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    return list_people(row.source_id, item, row.is_public)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("tracking", "0017_resending_of_hooks")]

    operations = [migrations.RunPython(find_people, migrations.RunPython.noop)]
