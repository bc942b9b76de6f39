"""What policy says of a message: send it, hold it, or drop it, and why."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Verdict(StrEnum):
    """The three answers."""

    SEND = "send"
    HOLD = "hold"
    DROP = "drop"


class Reason(StrEnum):
    """Why; the value is the stable code that a delivery keeps, `SENTENCES` its English."""

    ALLOWED = "allowed"
    ERASED = "erased"
    SUPPRESSED = "suppressed"
    RULE_ARCHIVED = "rule_archived"
    ENDED = "ended"
    CAME_BACK = "came_back"
    DOUBLE = "double_after_merge"
    EXPIRED = "expired"
    MISSING_VARIABLE = "missing_variable"
    TEMPLATE_ERROR = "template_error"
    TEMPLATE_MISSING = "template_missing"
    ADDRESS_MISSING = "address_missing"
    ADDRESS_INVALID = "address_invalid"
    AWAITS_ADDRESS = "awaits_address"
    AWAITS_VALID_ADDRESS = "awaits_valid_address"
    SENDING_STOPPED = "sending_stopped"
    RULE_PAUSED = "rule_paused"
    RULE_DRAFT = "rule_draft"


SENTENCES: dict[Reason, str] = {
    Reason.ALLOWED: "Nothing speaks against sending it.",
    Reason.ERASED: "The person's data were erased.",
    Reason.SUPPRESSED: "This address must not be written to.",
    Reason.RULE_ARCHIVED: "The rule was archived.",
    Reason.ENDED: "The person did what the rule was waiting for.",
    Reason.CAME_BACK: "The person came back before it could be sent.",
    Reason.DOUBLE: "The same rule had already matched this person under another id.",
    Reason.MISSING_VARIABLE: "The message needs a value that the person or the event does not have.",
    Reason.TEMPLATE_ERROR: "The template could not be filled in.",
    Reason.TEMPLATE_MISSING: "The rule's template has no words.",
    Reason.EXPIRED: "Too much time has passed since the event for the message to make sense.",
    Reason.ADDRESS_MISSING: "No address for this channel became known before the message expired.",
    Reason.ADDRESS_INVALID: "The person's address is not valid, and was not corrected before the message expired.",
    Reason.AWAITS_ADDRESS: "No address is known yet: it is sent when one is, unless it expires first.",
    Reason.AWAITS_VALID_ADDRESS: "The address is not valid: it is sent once corrected, unless it expires first.",
    Reason.SENDING_STOPPED: "All sending is stopped.",
    Reason.RULE_PAUSED: "The rule is paused.",
    Reason.RULE_DRAFT: "The rule is a draft.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A verdict with its reason.

    Of a HOLD, `until` is the moment at which to ask again; None when only something that happens can end it (the rule
    is resumed, sending is switched on again, the person's address becomes known). A message held past its expiry is
    dropped when it is next asked about.
    """

    verdict: Verdict
    reason: Reason
    until: datetime | None = None

    @property
    def sentence(self) -> str:
        """The reason in English."""
        return SENTENCES[self.reason]
