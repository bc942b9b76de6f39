"""What tells a retry from doing the same again. GA4's formats have no message id. Pure."""

import msgspec

from engagement.lib.ids import compute_id
from tracking.wire.fields import Fields

_HAPPENS_ONCE = frozenset({"purchase", "refund"})


def read_own_id(name: str, params: Fields) -> str | None:
    """Return what the sender itself calls unique: `event_id`, or the transaction of a purchase or a whole refund.

    A refund that lists items is a part of one, and there may be several of a transaction.
    """
    given = params.get("event_id")
    if _is_id(given):
        return str(given)
    transaction = params.get("transaction_id")
    if name not in _HAPPENS_ONCE or not _is_id(transaction) or (name == "refund" and params.get("items")):
        return None
    return str(transaction)


def compute_hash(*cause: object) -> str:
    """Return a message id computed from all that an item says, whatever the order of its keys."""
    return compute_id("ga4", msgspec.json.encode(cause, order="deterministic").decode()).hex


def _is_id(value: object) -> bool:
    return value != "" and isinstance(value, str | int) and not isinstance(value, bool)
