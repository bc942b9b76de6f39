"""Whose are the payloads that were kept before there was a column for it? Read by pages; nothing is locked for long."""

from django.db import migrations

from tracking.identities import find_identities

PAGE = 500


def find_people(apps, schema_editor):
    quarantined = apps.get_model("tracking", "Quarantined")
    last = 0
    while rows := list(quarantined.objects.filter(pk__gt=last).order_by("pk")[:PAGE]):
        for row in rows:
            row.people = find_identities(row.source_id, bytes(row.payload))
        quarantined.objects.bulk_update(rows, ["people"])
        last = rows[-1].pk


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("tracking", "0010_erasures")]

    operations = [migrations.RunPython(find_people, migrations.RunPython.noop)]
