"""What pages say of a person has a share of its own. Constant defaults: the tables are not rewritten."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tracking", "0025_scopes")]

    operations = [
        migrations.AddField(
            model_name="profile",
            name="public_traits",
            field=models.JSONField(db_default=[], default=list),
        ),
        migrations.AddField(
            model_name="profile",
            name="dropped_statements",
            field=models.IntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="eventcount",
            name="dropped_statements",
            field=models.IntegerField(db_default=0, default=0),
        ),
    ]
