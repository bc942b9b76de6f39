"""Silences of imported history: a version says whether it includes those before it; waits are armed from the log."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("triggers", "0010_messages_not_sent")]

    operations = [
        migrations.AddField("ruleversion", "includes_past", models.BooleanField(default=False)),
        migrations.AddField("detector", "arm_after", models.UUIDField(null=True)),
        migrations.AddField("detector", "arm_until", models.BigIntegerField(null=True)),
        migrations.AddField("detector", "armed_seq", models.BigIntegerField(null=True)),
    ]
