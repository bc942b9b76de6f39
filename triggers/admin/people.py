"""People: found by user id or e-mail, each with the whole story."""

import contextlib
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from engagement.lib.keyset import CURSOR_VAR
from engagement.lib.pages import KeysetAdmin
from engagement.lib.say import moment_column
from tracking.event import compute_anonymous_profile_id, compute_user_profile_id
from tracking.models import Event, Profile, Source
from triggers.admin.person_privacy import MAY_ERASE, MAY_EXPORT, erase_person, export_as_file
from triggers.admin.template_trial import filter_by_email
from triggers.admin.timeline import find_spans, load_timeline
from triggers.admin.why import explain_event


@admin.register(Profile)
class PeopleAdmin(KeysetAdmin):
    """Everybody who was seen, those seen last first."""

    list_display = ("name", "email", moment_column("seen_at", "last active"), moment_column("created_at", "first seen"))
    keyset = ("seen_at", "id")
    search_fields = ("user_id",)
    search_help_text = "User id, e-mail address or anonymous id, complete"
    search_hint = "People are found by their complete user id, e-mail address or anonymous id."
    fields = ("id",)
    change_form_template = "admin/triggers/person.html"
    empty_title = "Nobody has been seen yet"
    empty_hint = "Each person appears with their first event."
    empty_link = ("Go to the sources", "admin:tracking_source_changelist")

    def get_urls(self) -> list[URLPattern]:
        """Add the question why, and what a person may ask for."""
        wrap: Callable[..., Any] = self.admin_site.admin_view
        own = [
            path("<uuid:profile_id>/why/<uuid:event_id>/", wrap(self.show_why), name="tracking_profile_why"),
            path("<uuid:profile_id>/erase/", wrap(self.erase), name="tracking_profile_erase"),
            path("<uuid:profile_id>/export/", wrap(self.export), name="tracking_profile_export"),
        ]
        return [*own, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Profile]:
        """Leave out who was never active when the list is read by last activity: the index holds the others."""
        rows: QuerySet[Profile] = super().get_queryset(request)
        is_list = (
            request.resolver_match is not None and request.resolver_match.url_name == "tracking_profile_changelist"
        )
        return rows.filter(seen_at__isnull=False) if is_list and not request.GET.get("q") else rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Profile], search_term: str
    ) -> tuple[QuerySet[Profile], bool]:
        """Find exactly: ids are computed from what was typed, and the mail address has an index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        ids = [compute_user_profile_id(term)]
        ids += [compute_anonymous_profile_id(pk, term) for pk in Source.objects.values_list("pk", flat=True)]
        with contextlib.suppress(ValueError):
            ids.append(UUID(term))
        found = list(queryset.filter(pk__in=ids).values_list("pk", flat=True))
        if "@" in term:
            found += filter_by_email(queryset, term).values_list("pk", flat=True)[: self.list_per_page]
        return Profile.objects.filter(pk__in=found), False

    @admin.display(description="person")
    def name(self, profile: Profile) -> str:
        """Return how the person is called."""
        return str(profile)

    @admin.display(description="e-mail")
    def email(self, profile: Profile) -> str:
        """Return the mail address."""
        return str(profile.traits.get("email", ""))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the person's timeline."""
        profile = self.get_object(request, object_id)
        context: dict[str, Any] = {}
        if profile is not None:
            context = describe_person(profile, _read_before(request))
            context["may_erase"] = request.user.has_perm(MAY_ERASE)
            context["may_export"] = request.user.has_perm(MAY_EXPORT)
        return super().change_view(request, object_id, form_url, (extra_context or {}) | context)

    def show_why(self, request: HttpRequest, profile_id: UUID, event_id: UUID) -> HttpResponse:
        """Say what each rule made of one event of a person."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        profile, event = get_object_or_404(Profile, pk=profile_id), get_object_or_404(Event, pk=event_id)
        if event.profile_id not in {span[0] for span in find_spans(profile)}:
            raise Http404("This is no event of this person.")
        context = {**self.admin_site.each_context(request), **_describe_why(profile, event)}
        return TemplateResponse(request, "admin/triggers/why.html", context)

    def erase(self, request: HttpRequest, profile_id: UUID) -> HttpResponseBase:
        """Show what would go with a person; have it go."""
        profile = get_object_or_404(Profile, pk=profile_id)
        return erase_person(request, profile, self.admin_site.each_context(request))

    def export(self, request: HttpRequest, profile_id: UUID) -> HttpResponseBase:
        """Answer with all that is held of a person."""
        return export_as_file(request, get_object_or_404(Profile, pk=profile_id))


def _describe_why(profile: Profile, event: Event) -> dict[str, Any]:
    return {
        "title": f"Why? {event.name} of {profile}",
        "profile": profile,
        "event": event,
        "answers": explain_event(profile.pk, event.pk),
    }


def describe_person(profile: Profile, before: UUID | None) -> dict[str, Any]:
    """Return what a person's page shows."""
    return {
        "profile": profile,
        "owner": Profile.objects.filter(pk=profile.linked_to).first() if profile.linked_to else None,
        "timeline": load_timeline(profile, before),
        "is_newest": before is None,
    }


def _read_before(request: HttpRequest) -> UUID | None:
    try:
        return UUID(request.GET[CURSOR_VAR]) if CURSOR_VAR in request.GET else None
    except ValueError:
        return None
