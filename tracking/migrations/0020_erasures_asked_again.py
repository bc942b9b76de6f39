"""Somebody may be erased again while an erasure of theirs is not done: for what came after it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tracking", "0019_several_periods"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="erasure",
            name="erasure_open_once",
        ),
        migrations.AddIndex(
            model_name="erasure",
            index=models.Index(
                condition=models.Q(("completed_at__isnull", True)), fields=["profile_hash"], name="erasure_open"
            ),
        ),
    ]
