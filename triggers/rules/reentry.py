"""May a rule start again for a person for whom it has started before?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from triggers.rules.definition import After, Always, Once, Reentry


class ReentryReason(StrEnum):
    """Why a rule may or may not start again."""

    FIRST = "first"
    EVERY_TIME = "every_time"
    LONG_ENOUGH = "long_enough"
    ALREADY_ONCE = "already_once"
    TOO_SOON = "too_soon"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReentryDecision:
    """Whether the rule may start, and why. `since` is the earlier start that speaks against it."""

    is_allowed: bool
    reason: ReentryReason
    since: datetime | None = None


def check_reentry(reentry: Reentry, previous: Sequence[datetime], now: datetime) -> ReentryDecision:
    """Decide on the moments (occurred_at) of the earlier activations of this rule for this person.

    `previous` holds those whose event has a lower seq, in any order; `now` is the new event's occurred_at. An event
    that arrives late, with an earlier moment than an activation before it, is too soon as well.
    """
    if not previous:
        return ReentryDecision(is_allowed=True, reason=ReentryReason.FIRST)
    last = max(previous)
    match reentry:
        case Always():
            return ReentryDecision(is_allowed=True, reason=ReentryReason.EVERY_TIME)
        case Once():
            return ReentryDecision(is_allowed=False, reason=ReentryReason.ALREADY_ONCE, since=last)
        case After(seconds=seconds):
            if now - last < timedelta(seconds=seconds):
                return ReentryDecision(is_allowed=False, reason=ReentryReason.TOO_SOON, since=last)
            return ReentryDecision(is_allowed=True, reason=ReentryReason.LONG_ENOUGH)
