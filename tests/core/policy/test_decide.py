"""What may go out, what waits and what is dropped."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from triggers.policy.decide import decide_sending
from triggers.policy.decision import SENTENCES, Decision, Reason, Verdict
from triggers.policy.inputs import AddressStanding, RuleStanding, SendingInputs

NOW = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)
ALICE = SendingInputs(
    now=NOW,
    occurred_at=NOW - timedelta(minutes=5),
    stale_after=timedelta(hours=1),
    rule=RuleStanding.ACTIVE,
    address=AddressStanding.VALID,
)


LATE = {"occurred_at": NOW - timedelta(hours=1, microseconds=1)}


def decide(**changes: Any) -> Decision:
    return decide_sending(replace(ALICE, **changes))


def test_a_message_that_nothing_speaks_against_is_sent() -> None:
    assert decide() == Decision(verdict=Verdict.SEND, reason=Reason.ALLOWED)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"is_erased": True}, Reason.ERASED),
        ({"is_suppressed": True}, Reason.SUPPRESSED),
        ({"rule": RuleStanding.ARCHIVED}, Reason.RULE_ARCHIVED),
        ({"is_ended": True}, Reason.ENDED),
        ({"came_back": True}, Reason.CAME_BACK),
        (LATE, Reason.EXPIRED),
        ({"address": AddressStanding.MISSING} | LATE, Reason.ADDRESS_MISSING),
        ({"address": AddressStanding.INVALID} | LATE, Reason.ADDRESS_INVALID),
    ],
)
def test_each_of_these_drops_a_message(changes: dict[str, Any], reason: Reason) -> None:
    assert decide(**changes) == Decision(verdict=Verdict.DROP, reason=reason)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"is_sending_stopped": True}, Reason.SENDING_STOPPED),
        ({"rule": RuleStanding.PAUSED}, Reason.RULE_PAUSED),
        ({"rule": RuleStanding.DRAFT}, Reason.RULE_DRAFT),
        ({"address": AddressStanding.MISSING}, Reason.AWAITS_ADDRESS),
        ({"address": AddressStanding.INVALID}, Reason.AWAITS_VALID_ADDRESS),
    ],
)
def test_each_of_these_holds_a_message_until_something_happens(changes: dict[str, Any], reason: Reason) -> None:
    assert decide(**changes) == Decision(verdict=Verdict.HOLD, reason=reason, until=None)


def test_a_message_may_still_go_in_its_very_last_moment() -> None:
    assert decide(occurred_at=NOW - timedelta(hours=1)).verdict is Verdict.SEND


def test_a_rule_may_send_to_people_who_came_back() -> None:
    assert decide(came_back=True, send_if_came_back=True).verdict is Verdict.SEND


def test_a_held_message_that_has_expired_is_dropped_rather_than_held_on() -> None:
    late = {"now": NOW + timedelta(days=1), "is_sending_stopped": True, "rule": RuleStanding.PAUSED}
    assert decide(**late).reason is Reason.EXPIRED


def test_an_erased_person_is_told_as_erased_whatever_else_holds() -> None:
    everything = {"is_suppressed": True, "is_ended": True, "rule": RuleStanding.ARCHIVED, "is_sending_stopped": True}
    assert decide(is_erased=True, **everything).reason is Reason.ERASED


def test_every_reason_has_a_sentence() -> None:
    assert set(SENTENCES) == set(Reason)
    assert decide(is_ended=True).sentence == "The person did what the rule was waiting for."
