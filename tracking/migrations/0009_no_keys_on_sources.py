from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("tracking", "0008_keys_of_sources"),
    ]

    operations = [
        migrations.RemoveField(model_name="source", name="secret_hash"),
        migrations.RemoveField(model_name="source", name="secret_prefix"),
        migrations.RemoveField(model_name="source", name="write_key"),
    ]
