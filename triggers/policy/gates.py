"""The gates: each looks at one matter and objects or is silent.

A gate is a row of `GATES`: what it objects to, and what follows. Those that drop come before those that hold, since a
message that will never be sent need not wait; among each, the weightier reason is the one that is told.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from triggers.policy.decision import Decision, Reason, Verdict
from triggers.policy.inputs import AddressStanding, RuleStanding, SendingInputs

Gate: TypeAlias = Callable[[SendingInputs], Decision | None]


def _drop_if(objects: Callable[[SendingInputs], bool], reason: Reason) -> Gate:
    decision = Decision(verdict=Verdict.DROP, reason=reason)
    return lambda inputs: decision if objects(inputs) else None


def _hold_if(objects: Callable[[SendingInputs], bool], reason: Reason) -> Gate:
    decision = Decision(verdict=Verdict.HOLD, reason=reason)
    return lambda inputs: decision if objects(inputs) else None


def is_expired(inputs: SendingInputs) -> bool:
    """Say whether the message has lost its sense: its very last moment still counts."""
    return inputs.now - inputs.occurred_at > inputs.stale_after


HOLDS: Final[dict[Reason, Callable[[SendingInputs], bool]]] = {
    Reason.SENDING_STOPPED: lambda inputs: inputs.is_sending_stopped,
    Reason.RULE_PAUSED: lambda inputs: inputs.rule is RuleStanding.PAUSED,
    Reason.RULE_DRAFT: lambda inputs: inputs.rule is RuleStanding.DRAFT,
    Reason.AWAITS_ADDRESS: lambda inputs: inputs.address is AddressStanding.MISSING,
    Reason.AWAITS_VALID_ADDRESS: lambda inputs: inputs.address is AddressStanding.INVALID,
}

GATES: Final[tuple[Gate, ...]] = (
    _drop_if(lambda inputs: inputs.is_erased, Reason.ERASED),
    _drop_if(lambda inputs: inputs.is_suppressed, Reason.SUPPRESSED),
    _drop_if(lambda inputs: inputs.rule is RuleStanding.ARCHIVED, Reason.RULE_ARCHIVED),
    _drop_if(lambda inputs: inputs.is_ended, Reason.ENDED),
    _drop_if(lambda inputs: inputs.came_back and not inputs.send_if_came_back, Reason.CAME_BACK),
    _drop_if(lambda inputs: inputs.is_double, Reason.DOUBLE),
    _drop_if(lambda inputs: is_expired(inputs) and inputs.address is AddressStanding.MISSING, Reason.ADDRESS_MISSING),
    _drop_if(lambda inputs: is_expired(inputs) and inputs.address is AddressStanding.INVALID, Reason.ADDRESS_INVALID),
    _drop_if(is_expired, Reason.EXPIRED),
    *(_hold_if(objects, reason) for reason, objects in HOLDS.items()),
)
