"""What somebody chose for a destination: which events, which rules' activations, which traits."""

from typing import Any

import msgspec

from tracking.event import IDENTIFY, IMPORT
from tracking.log.read import LoggedEvent
from triggers.models import Chosen, Destination


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Names of events and ids of rules; None stands for all. `traits` are names."""

    names: frozenset[str] | None
    rules: frozenset[int] | None
    traits: tuple[str, ...] = ()

    def takes(self, event: LoggedEvent) -> bool:
        """Whether an event of an app, or a silence, is copied.

        What the platform tells itself (`$…`) is not, and neither is history: who imports it has it already.
        """
        if event.name.startswith("$") or event.origin == IMPORT:
            return False
        return self.names is None or event.name in self.names

    def find_traits(self, event: LoggedEvent) -> dict[str, Any]:
        """Return what an event says of the person, as far as that was chosen."""
        if event.name != IDENTIFY or event.user_id is None or event.origin == IMPORT:
            return {}
        told = event.properties.get("traits")
        return {name: told[name] for name in self.traits if name in told} if isinstance(told, dict) else {}

    @property
    def is_empty_of_rules(self) -> bool:
        """Whether no activation is copied."""
        return self.rules is not None and not self.rules


def read_choice(destination: Destination) -> Choice:
    """Return what is copied to a destination."""
    names = destination.event_names if destination.events == Chosen.SOME else ()
    rules = destination.rule_ids if destination.activations == Chosen.SOME else ()
    return Choice(
        names=None if destination.events == Chosen.ALL else frozenset(names),
        rules=None if destination.activations == Chosen.ALL else frozenset(rules),
        traits=tuple(destination.traits),
    )
