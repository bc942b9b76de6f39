"""What a rule is decided on: the port between the rules and whoever knows the history."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec import Struct


class HistoryNeed(Struct, frozen=True, cache_hash=True):
    """A question to the log: how often did the person do `event` in the `within` seconds up to the event's moment?

    Counted are events with a lower seq and occurred_at in (now - within, now]; with `within` null, in all the
    time in which events are reliable (as long as they are kept, less how late they may come).
    """

    event: str
    within: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that a rule sees of one event.

    `now` is the event's occurred_at, aware: matching has no clock. A need that `history` does not answer makes its
    condition unknown. `source_id` is the event's source; None is none of those that a rule may name.
    """

    properties: Mapping[str, Any]
    traits: Mapping[str, Any]
    now: datetime
    history: Mapping[HistoryNeed, int]
    source_id: int | None = None
