"""What may start anything, and which silences are a rule's: those complete after its activation or, on request, all."""

from collections.abc import Mapping
from datetime import datetime

from tracking.event import DERIVED, LIVE, RESPONSE
from tracking.log.read import LoggedEvent
from tracking.log.write import Connection
from tracking.registry import Registry
from triggers.rulebook import ActiveRule

STARTING = (LIVE, DERIVED, RESPONSE)

_STARTS = "select rule_id, started_at from triggers_detector"


def load_starts(connection: Connection) -> dict[int, datetime]:
    """Return from when on each rule for silence looks for silences."""
    return dict(connection.execute(_STARTS).fetchall())


def is_covered(rule: ActiveRule, complete_at: datetime, starts: Mapping[int, datetime]) -> bool:
    """Whether a silence that was complete at a moment is one of the rule's, however its last event came in."""
    started_at = starts.get(rule.rule_id)
    return rule.includes_past or started_at is None or complete_at >= started_at


def is_late(event: LoggedEvent, registry: Registry) -> bool:
    """Whether an event that should tell of now came too late to start anything."""
    if event.origin != LIVE:
        return False
    return event.received_at - event.occurred_at > registry.find_lateness(event.source_id)
