"""A tombstone for each time that a device was somebody's: its number becomes part of the key."""

from django.db import migrations, models

KEY = """
alter table tombstone drop constraint tombstone_pkey, add primary key (profile_hash, erasure_id, lane, number)
"""
# Going back forgets the further periods: what comes again of them is then not known to be erased.
OLD_KEY = """
delete from tombstone where number > 0;
alter table tombstone drop constraint tombstone_pkey, add primary key (profile_hash, erasure_id, lane)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("tracking", "0018_whose_is_understood"),
    ]

    operations = [
        migrations.AddField(
            model_name="tombstone",
            name="number",
            field=models.SmallIntegerField(db_default=0, default=0),
        ),
        migrations.RunSQL(
            KEY,
            OLD_KEY,
            state_operations=[
                migrations.AlterField(
                    model_name="tombstone",
                    name="pk",
                    field=models.CompositePrimaryKey(
                        "profile_hash",
                        "erasure_id",
                        "lane",
                        "number",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
            ],
        ),
    ]
