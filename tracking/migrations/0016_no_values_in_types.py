"""Values of properties are read from the log, so that they go with their event: those kept before are deleted."""

from django.db import migrations

STRIP = """
update tracking_eventtype set properties = coalesce((
    select jsonb_object_agg(path, seen - 'samples') from jsonb_each(properties) as each (path, seen)), '{}')
 where properties <> '{}'
"""


class Migration(migrations.Migration):
    dependencies = [
        ("tracking", "0015_resending"),
    ]

    operations = [migrations.RunSQL(STRIP, migrations.RunSQL.noop)]
