"""The tables of collecting."""

from tracking.models.cursor import LaneCursor, SetAside, Tick
from tracking.models.erasure import Erasure, Tombstone
from tracking.models.event import Event, EventDedup, EventOrigin
from tracking.models.event_type import (
    CountedUntil,
    EventCount,
    EventHour,
    EventSample,
    EventType,
    MisfitPolicy,
    SchemaVersion,
)
from tracking.models.hook import Hook, HookCount, HookPayload
from tracking.models.profile import Profile, ProfileChange
from tracking.models.quarantine import Quarantined, RefusalCount, Resending
from tracking.models.source import DEFAULT_SCOPES, AllowedOrigin, KeyKind, Scope, Source, SourceKey

__all__ = [
    "DEFAULT_SCOPES",
    "AllowedOrigin",
    "CountedUntil",
    "Erasure",
    "Event",
    "EventCount",
    "EventDedup",
    "EventHour",
    "EventOrigin",
    "EventSample",
    "EventType",
    "Hook",
    "HookCount",
    "HookPayload",
    "KeyKind",
    "LaneCursor",
    "MisfitPolicy",
    "Profile",
    "ProfileChange",
    "Quarantined",
    "RefusalCount",
    "Resending",
    "SchemaVersion",
    "Scope",
    "SetAside",
    "Source",
    "SourceKey",
    "Tick",
    "Tombstone",
]
