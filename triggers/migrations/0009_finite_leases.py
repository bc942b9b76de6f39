from django.db import migrations

# An ended lease was -infinity, which no model can read: such a destination could not be deleted.
FORWARD = "update triggers_copylease set lease_until = 'epoch' where not isfinite(lease_until)"


class Migration(migrations.Migration):
    dependencies = [("triggers", "0008_awaited_addresses")]

    operations = [
        migrations.RunSQL(FORWARD, migrations.RunSQL.noop),
        migrations.AlterModelOptions(
            "refusedcopy", {"default_permissions": (), "verbose_name_plural": "refused copies"}
        ),
    ]
