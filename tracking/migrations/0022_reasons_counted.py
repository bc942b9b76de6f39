"""The reasons of all that is open are counted in an index; built beside what is written meanwhile."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("tracking", "0021_fields_of_reasons")]

    operations = [
        AddIndexConcurrently(
            model_name="quarantined",
            index=models.Index(
                condition=models.Q(("resent_at__isnull", True)),
                fields=["source", "is_held", "code", "event_name", "field", "id"],
                name="quarantined_reasons",
            ),
        ),
        RemoveIndexConcurrently(model_name="quarantined", name="quarantined_open"),
    ]
