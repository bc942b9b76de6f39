"""The admin of the platform itself: dashboard, schedules, users."""

from django.contrib import admin

from engagement.admin import schedules, users
from engagement.admin.dashboard import make_urls

admin.site.extra_urls = make_urls  # type: ignore[attr-defined]  # a hook of unfold's site

__all__ = ["schedules", "users"]
