"""The application that decides and delivers: rules, templates, activations, deliveries."""

from django.apps import AppConfig


class TriggersConfig(AppConfig):
    """Deciding and delivering."""

    name = "triggers"
    verbose_name = "Messages"
