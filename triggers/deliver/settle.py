"""What only a person can say of a delivery in doubt."""

from uuid import UUID

from django.db import connection

_ARRIVED = """
update delivery set state = 'accepted', reason = 'settled', detail = %s, claim_token = null,
       updated_at = clock_timestamp()
 where id = %s and state = 'in_doubt'
"""
_AGAIN = """
update delivery set state = 'planned', reason = 'sent_again', detail = %s, due_at = clock_timestamp(),
       claim_token = null, updated_at = clock_timestamp()
 where id = %s and state = 'in_doubt'
"""


def settle_in_doubt(delivery_id: UUID, *, arrived: bool, by: str) -> bool:
    """Say that a message arrived, or plan one more attempt; False when it is not in doubt any more.

    The gates are asked again before the attempt, and it may be the person's second copy.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ARRIVED if arrived else _AGAIN, [f"by {by}", delivery_id])
        return bool(cursor.rowcount)
