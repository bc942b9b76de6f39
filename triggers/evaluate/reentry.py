"""Re-entry over a batch: earlier activations from the table, overlaid by those that the batch itself makes."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from tracking.log.write import Connection
from triggers.evaluate.effects import load_previous
from triggers.rules.definition import Always
from triggers.rules.reentry import check_reentry

if TYPE_CHECKING:
    from triggers.evaluate.batch import Candidate


class ReentryBook:
    """When each rule matched each person, up to the event that is being decided."""

    def __init__(self, previous: Iterable[tuple[int, UUID, datetime]]) -> None:
        self._moments: dict[tuple[int, UUID], list[datetime]] = {}
        for rule_id, profile_id, moment in previous:
            self._moments.setdefault((rule_id, profile_id), []).append(moment)

    @classmethod
    def load(cls, connection: Connection, candidates: "Sequence[Candidate]") -> "ReentryBook":
        """Read what the candidates' rules need to know."""
        limited = [one for one in candidates if not isinstance(one.rule.definition.reentry, Always)]
        if not limited:
            return cls(())
        people = sorted({profile_id for one in limited for profile_id, _, _ in one.person})
        return cls(load_previous(connection, people, sorted({one.rule.rule_id for one in limited})))

    def admit(self, candidate: "Candidate") -> bool:
        """Whether the rule may match this person (again); if so, remember that it did."""
        reentry = candidate.rule.definition.reentry
        if isinstance(reentry, Always):
            return True
        rule_id = candidate.rule.rule_id
        previous = [
            moment for profile_id, _, _ in candidate.person for moment in self._moments.get((rule_id, profile_id), ())
        ]
        if not check_reentry(reentry, previous, candidate.event.occurred_at).is_allowed:
            return False
        self._moments.setdefault((rule_id, candidate.profile_id), []).append(candidate.event.occurred_at)
        return True
