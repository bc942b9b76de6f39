"""May this message go out now?"""

from triggers.policy.decision import Decision, Reason, Verdict
from triggers.policy.gates import GATES
from triggers.policy.inputs import SendingInputs

_ALLOWED = Decision(verdict=Verdict.SEND, reason=Reason.ALLOWED)


def decide_sending(inputs: SendingInputs) -> Decision:
    """Return the first objection of the gates, or leave to send. Pure: asked again at every attempt."""
    return next((decision for gate in GATES if (decision := gate(inputs)) is not None), _ALLOWED)
