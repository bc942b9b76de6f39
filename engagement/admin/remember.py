"""Keeping what is dear to compute for some seconds; without a cache it is computed each time."""

from collections.abc import Callable
from typing import TypeVar, cast

from django.core.cache import cache

Value = TypeVar("Value")


def remember(key: str, seconds: float, load: Callable[[], Value]) -> Value:
    """Return what `load` gave at most `seconds` ago."""
    kept = cache.get(f"office:{key}")
    if kept is not None:
        return cast(Value, kept)
    value = load()
    cache.set(f"office:{key}", value, seconds)
    return value
