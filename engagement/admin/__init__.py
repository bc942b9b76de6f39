"""The admin of the platform itself: dashboard, schedules, users."""

from engagement.admin import schedules, users

__all__ = ["schedules", "users"]
