"""The project's own application: schedules, checks, commands, the demo."""

from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate

from engagement.lib.postgres import steady_pool


class EngagementConfig(AppConfig):
    """What holds the parts together."""

    name = "engagement"
    verbose_name = "Platform"

    def ready(self) -> None:
        """Register Celery's application and the checks; make the schedules once their tables stand."""
        from engagement import celery, checks  # noqa: F401

        steady_pool()

        # The signal is sent for applications with models only, which this one is not.
        post_migrate.connect(_ensure_schedules, sender=apps.get_app_config("django_celery_beat"))
        # The last application with permissions, so that all of them are there.
        post_migrate.connect(_ensure_groups, sender=apps.get_app_config("triggers"))


def _ensure_schedules(using: str, **_: Any) -> None:
    # Imported here because models cannot be before the apps are ready.
    from engagement.schedules import ensure_schedules

    if using == "default":
        ensure_schedules()


def _ensure_groups(using: str, **_: Any) -> None:
    # Imported here because models cannot be before the apps are ready.
    from engagement.groups import ensure_groups

    if using == "default":
        ensure_groups()
