"""The systems that can be told, each a file: from copies to requests, and what its answers mean."""

from typing import Any

import msgspec

from triggers.forward.kinds.base import Kind
from triggers.forward.kinds.ga4 import GoogleAnalytics
from triggers.forward.kinds.mixpanel import Mixpanel
from triggers.forward.kinds.webhook import Webhook

KINDS: dict[str, type[Kind]] = {"webhook": Webhook, "ga4": GoogleAnalytics, "mixpanel": Mixpanel}


def read_kind(kind: str, settings: dict[str, Any]) -> Kind:
    """Return a destination's kind with its settings, secrets included; raises msgspec.ValidationError."""
    return msgspec.convert(settings, KINDS[kind])
