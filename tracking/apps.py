"""The application that collects: sources, events, profiles."""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_migrate

from tracking.given_ids import allow_ids


class TrackingConfig(AppConfig):
    """Collecting what people do."""

    name = "tracking"
    verbose_name = "Events"

    def ready(self) -> None:
        """Know the ids that are allowed; make the log's partitions as soon as its table stands."""
        allow_ids(settings.ALLOWED_IDS)
        post_migrate.connect(_make_partitions, sender=self)


def _make_partitions(using: str, **_: Any) -> None:
    # Imported here because models cannot be before the apps are ready.
    from tracking.log.upkeep import make_partitions

    if using == "default":
        make_partitions()
