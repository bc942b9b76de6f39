"""What other systems answered before their answers were told without our secrets.

Writes to few rows, and locks no more than these.
"""

import json
from base64 import b64encode
from typing import Any
from urllib.parse import quote, quote_plus

from django.db import migrations

from engagement.lib.seal import SealBroken, unseal

_SHORTEST = 4
_TOLD = 8
"""Answers were cut, within a secret too: so many of its characters tell it."""

# What comes behind a secret may be the rest of it.
_CUT = (
    "update triggers_refusedcopy set reason = split_part(reason, %(start)s, 1) || '•••'"
    " where destination_id = %(destination)s and position(%(start)s in reason) > 0",
    "update triggers_destinationprogress set error = split_part(error, %(start)s, 1) || '•••'"
    " where destination_id = %(destination)s and position(%(start)s in error) > 0",
)


def hide_secrets(apps: Any, schema_editor: Any) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("select id, sealed from triggers_destination where sealed <> ''")
        for destination, sealed in cursor.fetchall():
            for start in _list_starts(sealed):
                for statement in _CUT:
                    cursor.execute(statement, {"destination": destination, "start": start})


def _list_starts(sealed: str) -> set[str]:
    """Return how the secrets begin, in every spelling in which they left."""
    try:
        secrets = [str(secret) for secret in json.loads(unseal(sealed)).values()]
    except SealBroken:
        return set()
    return {
        spelled[:_TOLD]
        for secret in secrets
        if len(secret) >= _SHORTEST
        for spelled in (secret, quote(secret, safe=""), quote_plus(secret), b64encode(f"{secret}:".encode()).decode())
    }


class Migration(migrations.Migration):
    dependencies = [("triggers", "0006_refusals")]

    operations = [migrations.RunPython(hide_secrets, migrations.RunPython.noop)]
