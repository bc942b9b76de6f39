"""The tables of deciding and delivering."""

from triggers.models.activation import Activation
from triggers.models.delivery import Attempt, Delivery, DeliveryState, SendingSwitch, Suppression
from triggers.models.destination import (
    Chosen,
    CopyCount,
    CopyLease,
    Destination,
    DestinationKind,
    DestinationProgress,
    DestinationState,
    RefusedCopy,
)
from triggers.models.rule import Detector, Rule, RuleState, RuleVersion
from triggers.models.template import MissingVariable, Template, TemplateVersion
from triggers.models.timer import Timer

__all__ = [
    "Activation",
    "Attempt",
    "Chosen",
    "CopyCount",
    "CopyLease",
    "Delivery",
    "DeliveryState",
    "Destination",
    "DestinationKind",
    "DestinationProgress",
    "DestinationState",
    "Detector",
    "MissingVariable",
    "RefusedCopy",
    "Rule",
    "RuleState",
    "RuleVersion",
    "SendingSwitch",
    "Suppression",
    "Template",
    "TemplateVersion",
    "Timer",
]
