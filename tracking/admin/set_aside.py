"""Events whose decision raised: noted, so that the others could go on."""

from django.contrib import admin

from engagement.lib.pages import RecordAdmin
from engagement.lib.say import moment_column
from tracking.models import SetAside


@admin.register(SetAside)
class SetAsideAdmin(RecordAdmin):
    """What an operator should show to a developer."""

    list_display = ("event_id", "reason", moment_column("created_at", "when"))
    fields = readonly_fields = ("event_id", "consumer", "lane", "seq", "reason", moment_column("created_at", "when"))
    ordering = ("-id",)
    empty_title = "No event was set aside"
    empty_hint = "Should deciding an event fail, it is noted here with the reason, and all others go on."
