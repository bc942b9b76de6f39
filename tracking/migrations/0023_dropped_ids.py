"""How many events came with an id that stands for nobody. A constant default: the table is not rewritten."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tracking", "0022_reasons_counted")]

    operations = [
        migrations.AddField(
            model_name="eventcount",
            name="dropped_ids",
            field=models.IntegerField(db_default=0, default=0),
        ),
    ]
