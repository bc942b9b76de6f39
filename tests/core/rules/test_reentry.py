"""May a rule start again?"""

from datetime import timedelta

import pytest

from tests.core.rules.samples import NOW
from triggers.rules.definition import After, Always, Once, Reentry
from triggers.rules.reentry import ReentryReason, check_reentry

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("reentry", [Always(), Once(), After(seconds=3600)])
def test_the_first_time_is_always_allowed(reentry: Reentry) -> None:
    assert check_reentry(reentry, [], NOW).reason is ReentryReason.FIRST


@pytest.mark.parametrize(
    ("reentry", "ago", "is_allowed", "reason"),
    [
        (Always(), timedelta(0), True, ReentryReason.EVERY_TIME),
        (Once(), 1000 * HOUR, False, ReentryReason.ALREADY_ONCE),
        (After(seconds=3600), HOUR - timedelta(microseconds=1), False, ReentryReason.TOO_SOON),
        (After(seconds=3600), HOUR, True, ReentryReason.LONG_ENOUGH),
        (After(seconds=3600), -HOUR * 5, False, ReentryReason.TOO_SOON),
    ],
)
def test_a_second_time(reentry: Reentry, ago: timedelta, is_allowed: bool, reason: ReentryReason) -> None:
    decision = check_reentry(reentry, [NOW - ago], NOW)
    assert (decision.is_allowed, decision.reason) == (is_allowed, reason)
    assert decision.since == (None if is_allowed else NOW - ago)


def test_the_latest_time_counts_in_whatever_order_they_come() -> None:
    previous = [NOW - 3 * HOUR, NOW - HOUR / 2, NOW - 2 * HOUR]
    assert check_reentry(After(seconds=3600), previous, NOW).since == NOW - HOUR / 2
