import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tracking", "0006_samples"),
    ]

    operations = [
        migrations.CreateModel(
            name="SourceKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(choices=[("public", "public key"), ("secret", "secret key")], max_length=16),
                ),
                ("value", models.CharField(max_length=255, null=True)),
                ("secret_hash", models.CharField(max_length=64, null=True)),
                ("prefix", models.CharField(max_length=16)),
                ("is_foreign", models.BooleanField(default=False)),
                ("label", models.CharField(blank=True, max_length=100)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
                ("last_used_at", models.DateTimeField(null=True)),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="keys", to="tracking.source"
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
                "default_permissions": (),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "secret"), ("secret_hash__isnull", False), ("value", None)),
                            models.Q(
                                models.Q(("kind", "secret"), _negated=True),
                                ("secret_hash", None),
                                ("value__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="source_key_secret_is_hashed",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("revoked_at", None)), fields=("value",), name="source_key_value"
                    ),
                    models.UniqueConstraint(fields=("secret_hash",), name="source_key_secret_hash"),
                ],
            },
        ),
        # So that the columns can come back where this is undone.
        migrations.AlterField(
            model_name="source",
            name="write_key",
            field=models.CharField(editable=False, max_length=64, null=True, unique=True),
        ),
        migrations.AlterField(
            model_name="source",
            name="secret_hash",
            field=models.CharField(editable=False, max_length=64, null=True, unique=True),
        ),
        migrations.AlterField(
            model_name="source",
            name="secret_prefix",
            field=models.CharField(default="", editable=False, max_length=16),
        ),
    ]
