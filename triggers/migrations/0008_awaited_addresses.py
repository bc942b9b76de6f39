from django.db import migrations

CREATE = """
-- Which messages wait for this person's address?
create index delivery_awaiting on delivery (profile_id)
 where state = 'planned' and reason in ('awaits_address', 'awaits_valid_address');
"""

DROP = "drop index delivery_awaiting;"


class Migration(migrations.Migration):
    """An index for what waits for an address. SHARE lock on delivery while it is built: writers wait."""

    dependencies = [("triggers", "0007_no_secrets_in_answers")]

    operations = [migrations.RunSQL(CREATE, DROP)]
