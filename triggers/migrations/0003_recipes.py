from typing import Any

from django.apps.registry import Apps
from django.db import migrations

from triggers.recipes.drafts import store_recipes


def store(apps: Apps, schema_editor: Any) -> None:
    store_recipes(apps)


class Migration(migrations.Migration):
    """Three rules to start from, as drafts with their messages. Undoing it leaves them: somebody may use them."""

    dependencies = [("triggers", "0002_held_deliveries")]

    operations = [migrations.RunPython(store, migrations.RunPython.noop)]
