"""The tables of collecting."""

from tracking.models.cursor import LaneCursor, SetAside, Tick
from tracking.models.event import Event, EventDedup, EventOrigin
from tracking.models.event_type import EventCount, EventType
from tracking.models.profile import Profile, ProfileChange
from tracking.models.quarantine import Quarantined
from tracking.models.source import AllowedOrigin, Source

__all__ = [
    "AllowedOrigin",
    "Event",
    "EventCount",
    "EventDedup",
    "EventOrigin",
    "EventType",
    "LaneCursor",
    "Profile",
    "ProfileChange",
    "Quarantined",
    "SetAside",
    "Source",
    "Tick",
]
