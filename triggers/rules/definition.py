"""A rule as it is stored: what starts it, under which conditions, and what follows."""

from datetime import timedelta
from typing import Literal, TypeAlias

from msgspec import Struct

from triggers.rules.nodes import Node

STALE_EVENT = timedelta(hours=1)
STALE_SILENCE = timedelta(hours=24)


class EventTrigger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="event"):
    """Something happens: an event of this name."""

    event: str


class SessionEnd(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="session_end"):
    """No activity for `after` seconds since the last one."""

    after: int = 900


class Inactivity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="inactivity"):
    """Nothing at all (`event` null), or not this event, for `after` seconds."""

    after: int
    event: str | None = None


class Abandonment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="abandonment"):
    """`started_by` happened and `ended_by` did not follow within `after` seconds.

    With a `key`, a path in the properties such as `cart_id`, each value of it is a wait of its own.
    """

    started_by: str
    ended_by: str
    key: str | None = None
    after: int = 3600


Trigger: TypeAlias = EventTrigger | SessionEnd | Inactivity | Abandonment
Silence: TypeAlias = SessionEnd | Inactivity | Abandonment

DEFAULT_EMITS: dict[type[Silence], str] = {
    SessionEnd: "session_ended",
    Inactivity: "user_inactive",
    Abandonment: "cart_abandonment",
}


class Always(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="always"):
    """Every time."""


class Once(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="once"):
    """Once in a person's life."""


class After(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="after"):
    """Not again within `seconds` of the last time."""

    seconds: int


Reentry: TypeAlias = Always | Once | After


class RuleDefinition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of a rule. All durations are whole seconds."""

    format: Literal[1]
    trigger: Trigger
    emits: str | None = None
    conditions: Node | None = None
    template: int | None = None
    reentry: Reentry = Always()
    stale_after: int | None = None
    send_if_came_back: bool = False

    @property
    def emitted_event(self) -> str | None:
        """The name of the event that this rule's silence becomes; None when the rule starts on an event."""
        if isinstance(self.trigger, EventTrigger):
            return None
        return self.emits or DEFAULT_EMITS[type(self.trigger)]

    @property
    def start_event(self) -> str:
        """The name of the event on which the conditions are evaluated."""
        if isinstance(self.trigger, EventTrigger):
            return self.trigger.event
        return self.emits or DEFAULT_EMITS[type(self.trigger)]

    @property
    def expires_after(self) -> timedelta:
        """How long after its event a message of this rule is still worth sending."""
        if self.stale_after is not None:
            return timedelta(seconds=self.stale_after)
        return STALE_EVENT if isinstance(self.trigger, EventTrigger) else STALE_SILENCE
