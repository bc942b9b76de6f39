"""The small numbers beside the way around."""

from django.http import HttpRequest

from engagement.admin.remember import remember
from triggers.models import Delivery, DeliveryState, SendingSwitch

_FRESH_SECONDS = 10
_MOST = 100


def count_in_doubt(request: HttpRequest) -> str:
    """Return how many deliveries are in doubt, "" for none."""
    number = remember("in_doubt", _FRESH_SECONDS, load_in_doubt)
    if not number:
        return ""
    return f"{number}" if number < _MOST else f"{_MOST}+"


def load_in_doubt() -> int:
    """Count up to a hundred; the partial index of deliveries in doubt answers."""
    return Delivery.objects.filter(state=DeliveryState.IN_DOUBT)[:_MOST].count()


def say_stopped(request: HttpRequest) -> str:
    """Return a word where all sending is stopped."""
    return "off" if SendingSwitch.objects.filter(is_stopped=True).exists() else ""
