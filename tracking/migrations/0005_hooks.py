"""Inbound webhooks, and what of theirs is held in quarantine. New tables and empty columns: no lock is held long."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tracking", "0004_schemas"),
    ]

    operations = [
        migrations.CreateModel(
            name="Hook",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(
                        help_text="The last part of the address: small letters, digits, - and _, such as checkout-left.",
                        max_length=50,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9][a-z0-9_-]*\\Z", "Small letters, digits, - and _, such as checkout-left."
                            )
                        ],
                    ),
                ),
                ("style", models.CharField(max_length=16)),
                ("header", models.CharField(blank=True, max_length=100)),
                ("secret", models.TextField(editable=False)),
                ("previous_secret", models.TextField(blank=True, editable=False)),
                ("previous_until", models.DateTimeField(blank=True, editable=False, null=True)),
                ("mapping", models.JSONField(default=dict)),
                (
                    "is_enabled",
                    models.BooleanField(
                        default=True,
                        help_text="While it does not, senders are asked to come again later (503): most try for hours, some for days.",
                        verbose_name="takes payloads",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="hooks", to="tracking.source"
                    ),
                ),
            ],
            options={
                "verbose_name": "webhook",
                "ordering": ["source", "name"],
            },
        ),
        migrations.AddConstraint(
            model_name="hook",
            constraint=models.UniqueConstraint(fields=("source", "name"), name="hook_name_once"),
        ),
        migrations.CreateModel(
            name="HookCount",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "hook", "hour", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "hook",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="counts", to="tracking.hook"
                    ),
                ),
                ("hour", models.DateTimeField()),
                ("accepted", models.IntegerField(default=0)),
                ("ignored", models.IntegerField(default=0)),
                ("held", models.IntegerField(default=0)),
                ("failed", models.IntegerField(default=0)),
                ("last_received_at", models.DateTimeField(null=True)),
                ("last_failed_at", models.DateTimeField(null=True)),
                ("last_failure", models.TextField(blank=True)),
            ],
            options={
                "db_table": "hook_count",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="HookPayload",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "hook",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="payloads", to="tracking.hook"
                    ),
                ),
                ("received_at", models.DateTimeField(db_index=True)),
                ("profile_id", models.UUIDField(db_index=True, null=True)),
                ("outcome", models.CharField(max_length=16)),
                ("headers", models.JSONField(default=dict)),
                ("body", models.BinaryField()),
            ],
            options={
                "db_table": "hook_payload",
                "default_permissions": (),
            },
        ),
        migrations.AddField(
            model_name="quarantined",
            name="headers",
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="quarantined",
            name="hook",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="held",
                to="tracking.hook",
            ),
        ),
    ]
