"""Events whose decision raised: noted, so that the others could go on; decided again once the cause is mended."""

from datetime import UTC, datetime

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from engagement.lib.pages import RecordAdmin
from engagement.lib.postgres import open_connection
from engagement.lib.say import moment_column
from tracking.log.append import AppendFailed
from tracking.log.appenders import get_appender
from tracking.models import SetAside
from tracking.queries import find_events
from tracking.set_aside import decide_again

_TIMEOUT_MS = 5_000
_COLUMNS = (moment_column("created_at", "when"), moment_column("decided_again_at", "decided again"))


@admin.register(SetAside)
class SetAsideAdmin(RecordAdmin):
    """What an operator should show to a developer, and then have decided again."""

    actions = ("decide_again",)  # type: ignore[assignment]
    list_display = ("event_id", "reason", *_COLUMNS)
    fields = readonly_fields = ("event_id", "consumer", "lane", "seq", "reason", *_COLUMNS)
    ordering = ("-id",)
    empty_title = "No event was set aside"
    empty_hint = (
        "Should deciding an event fail, it is noted here with the reason, and all others go on. "
        "Once somebody has mended the cause, it can be decided again from here."
    )

    def has_decide_again_permission(self, request: HttpRequest) -> bool:
        """Whether somebody may have events decided again."""
        return request.user.has_perm("tracking.decide_again")

    @admin.action(description="Decide again", permissions=["decide_again"])
    def decide_again(self, request: HttpRequest, chosen: QuerySet[SetAside]) -> None:
        """Decide the chosen events again, after what follows them in the log by now."""
        rows = list(chosen.filter(decided_again_at__isnull=True))
        with open_connection("engagement-admin", timeout_ms=_TIMEOUT_MS) as connection:
            found = find_events(connection, [row.event_id for row in rows])
        try:
            decide_again(get_appender(), list(found.values()))
        except AppendFailed:
            messages.error(request, "The log could not be written just now. Try again.")
            return
        done = [row.pk for row in rows if row.event_id in found]
        SetAside.objects.filter(pk__in=done).update(decided_again_at=datetime.now(UTC))
        words = f"{len(done)} on the way: one that fails again is set aside again, with the reason."
        messages.success(request, words) if done else messages.warning(request, "None of these can be decided again.")
