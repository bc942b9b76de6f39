"""What all pages of the admin share: lists that say what to do when they are empty, and rows that nobody edits."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from engagement.lib.ids import compute_boundary
from engagement.lib.keyset import CURSOR_VAR, KeysetChangeList


class PageAdmin(ModelAdmin):  # type: ignore[misc]
    """The base of every page.

    `empty_title` and `empty_hint` stand where a list has no rows, with `empty_link` (words, name of an address).
    """

    compressed_fields = True
    list_filter_submit = False
    empty_title = "Nothing here yet"
    empty_hint = ""
    empty_link: tuple[str, str] | None = None


class RecordAdmin(PageAdmin):
    """Rows that the platform writes and nobody edits."""

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds what has not happened."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody changes what has happened."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody deletes what has happened."""
        return False


class KeysetAdmin(RecordAdmin):
    """A list without end: newest first, page after page by key.

    `keyset` names the columns of its order, the last one unique. A filter named in `scanning_filters` is served by no
    index: with it, only rows of the last `scanned` days are looked at, which their ids tell.
    """

    change_list_template = "admin/keyset_list.html"
    keyset: tuple[str, ...] = ("id",)
    sortable_by = ()
    list_per_page = 50
    show_full_result_count = False
    scanning_filters: tuple[str, ...] = ()
    scanned = timedelta(days=7)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list by key."""
        return KeysetChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows, bounded in time where a filter would have to read them all."""
        rows: QuerySet[Any] = super().get_queryset(request)
        if self.is_scanning(request):
            rows = rows.filter(id__gte=compute_boundary(datetime.now(UTC) - self.scanned))
        return rows

    def is_scanning(self, request: HttpRequest) -> bool:
        """Whether a filter without an index is in use."""
        used = {name.partition("__")[0] for name, value in request.GET.items() if value and name != CURSOR_VAR}
        return bool(used & set(self.scanning_filters))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the list, and say when only a part of it was looked at."""
        note = f"Only the last {self.scanned.days} days are searched." if self.is_scanning(request) else ""
        return super().changelist_view(request, (extra_context or {}) | {"scan_note": note})
