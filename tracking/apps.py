"""The application that collects: sources, events, profiles."""

from django.apps import AppConfig


class TrackingConfig(AppConfig):
    """Collecting what people do."""

    name = "tracking"
    verbose_name = "Tracking"
