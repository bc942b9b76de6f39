"""The admin of the platform itself: dashboard, schedules, users."""

from django.contrib import admin
from django.urls import URLPattern

from engagement.admin import dashboard, schedules, two_factor, users


def _make_urls() -> list[URLPattern]:
    return [*dashboard.make_urls(), *two_factor.make_urls()]


admin.site.extra_urls = _make_urls  # type: ignore[attr-defined]  # a hook of unfold's site

__all__ = ["schedules", "users"]
