import django.contrib.postgres.fields
from django.db import migrations, models

SCOPES = [
    ("ingest", "report"),
    ("read", "read back"),
    ("manage", "manage"),
    ("privacy", "export and erase people"),
]


def keep_what_keys_could_do(apps, schema_editor):
    """Nothing asks for `manage` yet, so that no key could do it."""
    apps.get_model("tracking", "SourceKey").objects.filter(kind="secret").update(scopes=["ingest", "read", "privacy"])


def let_privacy_make_keys(apps, schema_editor):
    """A new installation has no groups yet: they come with the permission."""
    group = apps.get_model("auth", "Group").objects.filter(name="Privacy").first()
    if group is None:
        return
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label="tracking", model="sourcekey"
    )
    permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=kind,
        codename="grant_privacy",
        defaults={"name": "Can make keys that export and erase people"},
    )
    group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [
        ("tracking", "0024_linked_seq"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.AlterModelOptions(
            "sourcekey",
            {
                "default_permissions": (),
                "ordering": ["pk"],
                "permissions": [("grant_privacy", "Can make keys that export and erase people")],
            },
        ),
        migrations.AddField(
            "sourcekey",
            "scopes",
            django.contrib.postgres.fields.ArrayField(
                models.CharField(choices=SCOPES, max_length=16), default=list, size=None
            ),
        ),
        migrations.RunPython(keep_what_keys_could_do, migrations.RunPython.noop),
        migrations.RunPython(let_privacy_make_keys, migrations.RunPython.noop),
    ]
