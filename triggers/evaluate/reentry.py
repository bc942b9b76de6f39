"""Re-entry over a batch: earlier activations from the table, overlaid by those that the batch itself makes."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from tracking.log.write import Connection
from tracking.profiles import Spans
from triggers.evaluate.effects import load_previous
from triggers.rules.definition import Always
from triggers.rules.reentry import check_reentry

if TYPE_CHECKING:
    from triggers.evaluate.batch import Candidate


class ReentryBook:
    """When each rule matched each person, up to the event that is being decided.

    A joined profile's matches count only while it was theirs: what somebody else did on the device later does not.
    """

    def __init__(self, previous: Iterable[tuple[int, UUID, int, datetime]]) -> None:
        self._matches: dict[tuple[int, UUID], list[tuple[int, datetime]]] = {}
        for rule_id, profile_id, seq, moment in previous:
            self._matches.setdefault((rule_id, profile_id), []).append((seq, moment))

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
        previous = self.list_moments(rule_id, candidate.person)
        if not check_reentry(reentry, previous, candidate.event.occurred_at).is_allowed:
            return False
        match = (candidate.event.seq, candidate.event.occurred_at)
        self._matches.setdefault((rule_id, candidate.profile_id), []).append(match)
        return True

    def list_moments(self, rule_id: int, person: Spans) -> list[datetime]:
        """Return when a rule matched a person."""
        return [
            moment
            for profile_id, since, until in person
            for seq, moment in self._matches.get((rule_id, profile_id), ())
            if since < seq <= until
        ]
