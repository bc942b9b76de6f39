"""How long events are kept: as the installation says, and for as long as somebody still has to read them."""

from collections.abc import Callable
from datetime import timedelta

from django.conf import settings

_needs: list[Callable[[], timedelta]] = []


def register_need(find_need: Callable[[], timedelta]) -> None:
    """Have a reader of the log asked, before anything is dropped, how far back it still looks."""
    _needs.append(find_need)


def find_retention() -> timedelta:
    """Return how long events are kept: RETENTION_DAYS, or longer while a reader looks further back."""
    return max([timedelta(days=settings.RETENTION_DAYS), *(find_need() for find_need in _needs)])
