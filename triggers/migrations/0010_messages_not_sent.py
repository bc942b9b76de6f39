from django.db import migrations, models

FORTH = """
alter table activation add column released_seq bigint;
drop index activation_once;
create unique index activation_once on activation (lane, rule_id, profile_id) where is_once and released_seq is null;
"""

BACK = """
update activation set is_once = false where released_seq is not null;
drop index activation_once;
create unique index activation_once on activation (lane, rule_id, profile_id) where is_once;
alter table activation drop column released_seq;
"""


class Migration(migrations.Migration):
    """Activations whose message was never sent. ACCESS EXCLUSIVE lock while the index is built again: all wait."""

    dependencies = [("triggers", "0009_finite_leases")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(FORTH, BACK)],
            state_operations=[migrations.AddField("activation", "released_seq", models.BigIntegerField(null=True))],
        )
    ]
