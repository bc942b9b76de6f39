"""The admin of the platform itself: dashboard, schedules, users."""

from django.contrib import admin

from engagement.admin import schedules, users
from engagement.admin.dashboard import make_urls

admin.site.extra_urls = make_urls

__all__ = ["schedules", "users"]
