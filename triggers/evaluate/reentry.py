"""Re-entry over a batch: earlier activations from the table, overlaid by those that the batch itself makes."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from tracking.log.write import Connection
from tracking.profiles import Spans, find_freed
from triggers.evaluate.effects import Match, compute_activation_id, load_previous
from triggers.rules.definition import Always
from triggers.rules.reentry import check_reentry

if TYPE_CHECKING:
    from triggers.evaluate.batch import Candidate


class ReentryBook:
    """When each rule matched each person, up to the event that is being decided.

    A joined profile's matches count only while it was theirs: what somebody else did on the device later does not. Nor
    does a match whose message was never sent, from the place in the log on that says so. `released` gives that place
    for activations that are not stored yet: a replay's. `freed` are the places at which a profile became nobody's: it
    decides for itself again from there on, and whether its former owner's lane sees that depends on which is faster.
    """

    def __init__(
        self,
        previous: Iterable[Match],
        released: Mapping[UUID, int] | None = None,
        freed: Mapping[UUID, Sequence[int]] | None = None,
    ) -> None:
        self._matches: dict[tuple[int, UUID], list[Match]] = {}
        self._released = released or {}
        self._freed = freed or {}
        for match in previous:
            self._matches.setdefault((match.rule_id, match.profile_id), []).append(match)

    @classmethod
    def load(
        cls, connection: Connection, candidates: "Sequence[Candidate]", released: Mapping[UUID, int]
    ) -> "ReentryBook":
        """Read what the candidates' rules need to know."""
        limited = [one for one in candidates if not isinstance(one.rule.definition.reentry, Always)]
        if not limited:
            return cls(())
        people = sorted({profile_id for one in limited for profile_id, _, _ in one.person})
        previous = load_previous(connection, people, sorted({one.rule.rule_id for one in limited}))
        # After the matches: where one of a freed profile is visible, so is what freed it.
        joined = {span[0] for one in limited for span in one.person if span[0] != one.profile_id}
        return cls(previous, released, find_freed(connection, sorted(joined)) if joined else None)

    def admit(self, candidate: "Candidate") -> bool:
        """Whether the rule may match this person (again); if so, remember that it did."""
        reentry, event = candidate.rule.definition.reentry, candidate.event
        if isinstance(reentry, Always):
            return True
        rule_id = candidate.rule.rule_id
        previous = self.list_moments(rule_id, candidate.person, event.seq)
        if not check_reentry(reentry, previous, event.occurred_at).is_allowed:
            return False
        released_seq = self._released.get(compute_activation_id(rule_id, event.id)) if self._released else None
        match = Match(rule_id, candidate.profile_id, event.seq, event.occurred_at, released_seq)
        self._matches.setdefault((rule_id, candidate.profile_id), []).append(match)
        return True

    def list_moments(self, rule_id: int, person: Spans, seq: int) -> list[datetime]:
        """Return when a rule matched a person, as it counts for the event at a place of the log."""
        return [
            match.moment
            for profile_id, since, until in person
            for match in self._matches.get((rule_id, profile_id), ())
            if since < match.seq <= until
            and match.counts_at(seq)
            and (profile_id == person[0][0] or not self._is_freed(profile_id, since, match.seq))
        ]

    def _is_freed(self, profile_id: UUID, since: int, seq: int) -> bool:
        return any(since < freed < seq for freed in self._freed.get(profile_id, ()))
