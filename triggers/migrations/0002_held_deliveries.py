from django.db import migrations

CREATE = """
-- What does a rule, or the switch, hold back?
create index delivery_held on delivery (rule_id)
 where state = 'planned' and reason in ('rule_paused', 'rule_draft', 'sending_stopped');
"""

DROP = "drop index delivery_held;"


class Migration(migrations.Migration):
    """An index for what is held. SHARE lock on delivery while it is built: writers wait."""

    dependencies = [("triggers", "0001_initial")]

    operations = [migrations.RunSQL(CREATE, DROP)]
