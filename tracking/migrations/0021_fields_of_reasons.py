"""What is too long for a reason's part of an index's key is cut; what is cut cannot be had back."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("tracking", "0020_erasures_asked_again")]

    operations = [
        migrations.RunSQL(
            "update tracking_quarantined set field = left(field, 250) where length(field) > 250",
            migrations.RunSQL.noop,
        )
    ]
