"""What all pages of the admin share: lists that say what to do when they are empty, and rows that nobody edits."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

from engagement.lib import edits
from engagement.lib.ids import compute_boundary
from engagement.lib.keyset import CURSOR_VAR, KeysetChangeList


class EditAdmin(ModelAdmin):  # type: ignore[misc]
    """Forms that two people may have open at once: the second to save is shown what the first one saved.

    The history says of each field what it was and what it is.
    """

    change_form_before_template = "admin/edit_seen.html"

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Save what was opened as it still is; else show the form again, with both versions."""
        is_saved = object_id is not None and request.method == "POST"
        with transaction.atomic() if is_saved else nullcontext():
            conflict = self._compare(request, unquote(object_id)) if object_id is not None and is_saved else None
            if conflict is not None:
                # From here on the page is only opened, as it is now, with what was typed in it.
                request.method, request.edit_conflict = "GET", conflict  # type: ignore[attr-defined]
            response: HttpResponse = super().changeform_view(request, object_id, form_url, extra_context)
            if conflict is not None:
                response.status_code = 409
            return response

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Have the page carry what it shows; after a conflict, with what was typed in its place."""
        form, row = context["adminform"].form, context.get("original")
        conflict: edits.Conflict | None = getattr(request, "edit_conflict", None)
        if row is not None and self.has_change_permission(request, row):
            shown = getattr(request, "edit_before", None) or edits.take_snapshot(
                form, [(one.opts.verbose_name_plural, one.formset) for one in context["inline_admin_formsets"]], row
            )
            context["edit_seen"] = edits.write_snapshot(shown)
        if conflict is not None:
            form.initial.update(conflict.kept)
            context["conflict"] = conflict
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return response

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """Say of each field that was changed what it was and what it is; of a secret only that it was."""
        before: edits.Snapshot | None = getattr(request, "edit_before", None)
        row = self.get_object(request, str(form.instance.pk)) if before is not None and not add else None
        if before is None or row is None:
            return super().construct_change_message(request, form, formsets, add)
        changes = edits.list_changes(before, self._read(request, row))
        secrets = [str(form[name].label) for name in form.changed_data if edits.is_secret(form, name)]
        if not changes and not secrets:
            return []
        labels = [label for label, _, _ in changes] + secrets
        return [{"changed": {"fields": labels, "values": changes}}]

    def _compare(self, request: HttpRequest, object_id: str) -> edits.Conflict | None:
        """Lock the row, and return what was saved since the page was opened."""
        row = self.get_object(request, object_id)
        if row is None or not self.has_change_permission(request, row):
            return None
        self.model._default_manager.select_for_update(no_key=True).filter(pk=row.pk).first()
        row = self.get_object(request, object_id)
        if row is None:
            return None
        now = request.edit_before = self._read(request, row)  # type: ignore[attr-defined]
        seen = edits.read_snapshot(request.POST.get(edits.SEEN, ""))
        if seen is None:
            return None
        form, inlines = self._open(request, row)
        return edits.find_conflict(form, inlines, request.POST, seen=seen, now=now, row=row, user_id=request.user.pk)

    def _read(self, request: HttpRequest, row: Any) -> edits.Snapshot:
        return edits.take_snapshot(*self._open(request, row), row)

    def _open(self, request: HttpRequest, row: Any) -> tuple[Any, edits.InlineForms]:
        form = self.get_form(request, row, change=True)(instance=row)
        found = self.get_formsets_with_inlines(request, row)
        return form, [(inline.verbose_name_plural, rows(instance=row)) for rows, inline in found]


class PageAdmin(EditAdmin):
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
