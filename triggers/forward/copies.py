"""What leaves for another system: a copy of an event, of an activation, or of what is known of a person.

Of the person nothing leaves but the user id that the app gave. Who has not signed in is told apart by a pseudonym, a
hash; addresses, context and IP never leave, and of the traits those only that somebody chose.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec


class What(StrEnum):
    """What is copied."""

    EVENT = "event"
    ACTIVATION = "activation"
    IDENTIFY = "identify"


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell. `id` is the event's or the activation's, the same however often it is sent.

    `lane` and `seq` are its place in the log. `device` is the pseudonym of whoever used the app without signing in;
    `profile` that of the person. An activation's properties are its rule and its event, an identify's the traits.
    """

    id: UUID
    what: What
    lane: int
    seq: int
    name: str
    profile: str
    user_id: str | None
    device: str | None
    properties: dict[str, Any]
    source: str
    occurred_at: datetime
    received_at: datetime

    @property
    def event_id(self) -> UUID:
        """The event that it is, or that started it."""
        return UUID(self.properties["event_id"]) if self.what is What.ACTIVATION else self.id
