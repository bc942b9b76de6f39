from django.db import migrations, models


class Migration(migrations.Migration):
    """Sources that are there already get no limits; new ones get the defaults of the model."""

    dependencies = [
        ("tracking", "0012_source_privacy"),
    ]

    operations = [
        migrations.AddField("source", name, models.PositiveIntegerField(default=0, verbose_name=words))
        for name, words in (
            ("source_rate", "events a second, in all"),
            ("source_burst", "at once"),
            ("address_rate", "events a second, from one address"),
            ("address_burst", "at once"),
            ("person_rate", "events a second, of one person"),
            ("person_burst", "at once"),
        )
    ] + [
        migrations.AlterField("source", name, models.PositiveIntegerField(default=default, verbose_name=words))
        for name, default, words in (
            ("address_rate", 200, "events a second, from one address"),
            ("address_burst", 5_000, "at once"),
            ("person_rate", 50, "events a second, of one person"),
            ("person_burst", 1_000, "at once"),
        )
    ]
