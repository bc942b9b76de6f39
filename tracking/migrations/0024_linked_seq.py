"""Where in the log somebody signed in to whom a profile belongs. A constant default: the table is not rewritten."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tracking", "0023_dropped_ids")]

    operations = [
        migrations.AddField(
            model_name="profile",
            name="linked_seq",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
    ]
