"""What policy is asked about: one message to one address, just before it would be handed over."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class RuleStanding(StrEnum):
    """Where the rule stands; the values are those of the stored rule."""

    DRAFT = "draft"
    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"


class AddressStanding(StrEnum):
    """What the channel says of the address."""

    VALID = "valid"
    MISSING = "missing"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingInputs:
    """Facts of one message, each read as late as possible.

    `now` is the database's clock; `occurred_at` the activating event's moment; `stale_after` how long after it the
    message still makes sense. `is_ended`: an event that ends the wait has been seen since. `came_back`: the person
    returned since the silence, and `send_if_came_back` is the rule's word on that. `is_double`: the same rule has
    matched another profile of the person before the two were known to be one.
    """

    now: datetime
    occurred_at: datetime
    stale_after: timedelta
    rule: RuleStanding
    address: AddressStanding
    is_sending_stopped: bool = False
    is_suppressed: bool = False
    is_erased: bool = False
    is_ended: bool = False
    is_double: bool = False
    came_back: bool = False
    send_if_came_back: bool = False
