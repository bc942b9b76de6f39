"""The key that tells one wait of a person from another: the cart's id, the order's id."""

from collections.abc import Mapping
from typing import Any

from triggers.rules.definition import Abandonment
from triggers.rules.paths import parse_path
from triggers.rules.values import read_step, read_text


def read_wait_key(trigger: Abandonment, properties: Mapping[str, Any]) -> str:
    """Return the key of an event, "" when the trigger has none or the event holds no text or whole number there.

    12345 and "12345" are one key.
    """
    if trigger.key is None:
        return ""
    value: Any = dict(properties)
    for step in parse_path(trigger.key):
        value = read_step(value, step) if isinstance(step, str) else None
    return read_text(value) or ""


def keys_fit(ending: str, waiting: str) -> bool:
    """Whether an event ends a wait: one without a key ends all, and a wait without a key is ended by any."""
    return not ending or not waiting or ending == waiting
