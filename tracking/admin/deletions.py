"""Deleting what much else belongs to: that is counted, and nothing goes while something is held of it."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html

from engagement.lib.pages import PageAdmin
from tracking.models import Quarantined


class CountedDeletion(PageAdmin):
    """Deletes what other rows belong to.

    `belongings` are the models of those rows, each with the field that names their owner; `holds` is that of what is
    held in quarantine, "" where nothing can be.
    """

    belongings: Sequence[tuple[type[Model], str]] = ()
    holds = ""

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse, in words, while something is held: its sender was told that we have it."""
        if not self.holds or not self.has_delete_permission(request):
            return super().delete_view(request, object_id, extra_context)
        with transaction.atomic():
            # Locked: what is held meanwhile waits, and is refused when its owner is gone.
            owner = self.get_queryset(request).select_for_update(of=("self",)).filter(pk=object_id).first()
            number = self._find_held(owner).count() if owner is not None else 0
            if owner is None or not number:
                return super().delete_view(request, object_id, extra_context)
        messages.error(request, _refuse(owner, number))
        return HttpResponseRedirect(reverse(f"admin:tracking_{self.opts.model_name}_change", args=[owner.pk]))

    def get_deleted_objects(
        self, objs: Sequence[Model] | QuerySet[Any], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Count what goes too, where Django's admin would read and show each row."""
        counts: dict[str, int] = {}
        lacking: set[str] = set()
        for model, field in self.belongings:
            number = model._default_manager.filter(**{f"{field}__in": list(objs)}).count()
            if not number:
                continue
            name = str(model._meta.verbose_name_plural)
            counts[name] = counts.get(name, 0) + number
            page = admin.site._registry.get(model)
            if page is not None and not page.has_delete_permission(request):
                lacking.add(str(model._meta.verbose_name))
        shown = [*map(str, objs), *(f"{number:,} {name}" for name, number in counts.items())]
        return shown, {str(self.opts.verbose_name_plural): len(objs)} | counts, lacking, []

    def _find_held(self, owner: Model) -> QuerySet[Quarantined]:
        return Quarantined.objects.filter(**{self.holds: owner}, is_held=True, resent_at__isnull=True)


def _refuse(owner: Model, number: int) -> str:
    page = f"{reverse('admin:tracking_quarantined_changelist')}?{urlencode({'is_held__exact': 1})}"
    held = "one held item waits" if number == 1 else f"{number:,} held items wait"
    return format_html(
        "{} is not deleted: {} there, and the sender was told that we have them. Send them on or delete them first, "
        'in <a href="{}">the quarantine</a>. To take no more meanwhile, switch it off.',
        owner,
        held,
        page,
    )
