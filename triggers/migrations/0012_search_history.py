"""Search once more, for the rules that are there: history whose rows came in order was not found, nor named events of it.

Each silence has its computed id, so that those which were found are not found twice. Writes to one row for each rule.
"""

from django.db import migrations

SEARCH_AGAIN = """
update triggers_detector set watermark = '1970-01-01', arm_after = '00000000-0000-0000-0000-000000000000',
       arm_until = (select last_value + 1 from event_seq_seq)
"""


class Migration(migrations.Migration):
    dependencies = [("triggers", "0011_history"), ("tracking", "0001_initial")]

    operations = [migrations.RunSQL(SEARCH_AGAIN, migrations.RunSQL.noop)]
