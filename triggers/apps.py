"""The application that decides and delivers: rules, templates, activations, deliveries."""

from django.apps import AppConfig
from django.core.checks import Tags, register


class TriggersConfig(AppConfig):
    """Deciding and delivering."""

    name = "triggers"
    verbose_name = "Messages"

    def ready(self) -> None:
        """Say how far back rules look, before anything of the log is dropped."""
        # Imported here because models cannot be before the apps are ready.
        from tracking.log.retention import register_need
        from triggers.retention_need import check_retention, find_need

        register_need(find_need)
        register(check_retention, Tags.database, deploy=True)
