"""Collecting in the admin: sources, events, event types, what was refused or set aside."""

from tracking.admin import event_types, events, hooks, quarantine, set_aside, sources

__all__ = ["event_types", "events", "hooks", "quarantine", "set_aside", "sources"]
