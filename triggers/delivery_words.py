"""Deliveries in plain words."""

from django.utils.html import format_html

from triggers.models import Delivery, DeliveryState
from triggers.policy.decision import SENTENCES, Reason

_OWN_REASONS = {
    "settled": "Somebody said that it arrived.",
    "restored": "The database was restored from a backup: it may have been sent since.",
    "sent_again": "Somebody had it sent again.",
}
_LOOKS = {
    DeliveryState.PLANNED: "info",
    DeliveryState.CLAIMED: "info",
    DeliveryState.HANDED_OVER: "info",
    DeliveryState.ACCEPTED: "good",
    DeliveryState.REJECTED: "bad",
    DeliveryState.IN_DOUBT: "warning",
    DeliveryState.DROPPED: "",
}


def say_reason(reason: str, detail: str = "") -> str:
    """Return why a delivery stands where it stands, "" where nothing is to be said."""
    if not reason:
        return detail
    known = reason in Reason.__members__.values()
    sentence = SENTENCES[Reason(reason)] if known else _OWN_REASONS.get(reason, f"{reason.replace('_', ' ')}.")
    return f"{sentence} ({detail})" if detail else sentence


def show_state(delivery: Delivery) -> str:
    """Return the state as a coloured word."""
    state = DeliveryState(delivery.state)
    return format_html('<span class="badge {}">{}</span>', _LOOKS[state], state.label)
