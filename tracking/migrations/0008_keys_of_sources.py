"""Each source's two keys become rows of their own."""

import secrets
from typing import Any

from django.db import migrations


def make_rows(apps: Any, schema_editor: Any) -> None:
    source_model, key_model = apps.get_model("tracking", "Source"), apps.get_model("tracking", "SourceKey")
    rows = []
    for source in source_model.objects.all():
        rows.append(
            key_model(
                source=source,
                kind="public",
                value=source.write_key,
                prefix=source.write_key[:8],
                created_at=source.created_at,
            )
        )
        rows.append(
            key_model(
                source=source,
                kind="secret",
                secret_hash=source.secret_hash,
                prefix=source.secret_prefix,
                created_at=source.created_at,
            )
        )
    key_model.objects.bulk_create(rows)


def fill_columns(apps: Any, schema_editor: Any) -> None:
    """A source has one key of each kind again: the newest that was not revoked, or one that nobody knows."""
    source_model, key_model = apps.get_model("tracking", "Source"), apps.get_model("tracking", "SourceKey")
    for source in source_model.objects.all():
        holding = key_model.objects.filter(source=source, revoked_at=None, expires_at=None).order_by("-pk")
        public = next((key for key in holding if key.kind == "public" and len(key.value) <= 64), None)
        secret = next((key for key in holding if key.kind == "secret"), None)
        source.write_key = public.value if public else f"wk_{secrets.token_urlsafe(24)}"
        source.secret_prefix = secret.prefix if secret else "sk_"
        source.secret_hash = secret.secret_hash if secret else secrets.token_hex(32)
        source.save(update_fields=["write_key", "secret_prefix", "secret_hash"])
    key_model.objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [
        ("tracking", "0007_source_keys"),
    ]

    operations = [migrations.RunPython(make_rows, fill_columns)]
