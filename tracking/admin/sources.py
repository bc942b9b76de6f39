"""Sources: made with their keys, and a page that says how to send the first event."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.admin import TabularInline

from engagement.lib.duration_field import DurationInUnitsField
from engagement.lib.say import moment_column
from tracking.admin.deletions import CountedDeletion
from tracking.admin.quarantine_groups import draw_refusals
from tracking.admin.source_keys import SourceKeyAdmin, list_keys
from tracking.models import AllowedOrigin, EventCount, Hook, HookPayload, Quarantined, Source, SourceKey
from tracking.origins import OriginRefused, clean_origin
from tracking.refusals import find_breaking
from tracking.registry import forget_registry
from tracking.snippet import write_snippet
from tracking.sources import ensure_secrets, make_first_keys

_COUNTED = timedelta(hours=24)


class SourceForm(forms.ModelForm):  # type: ignore[type-arg]
    """A source's name and what its events mean."""

    lateness = DurationInUnitsField(
        label="Lateness",
        initial=Source._meta.get_field("lateness").default,
        help_text="An event that arrives later than this updates what is known of the person, and starts no rule.",
    )

    class Meta:
        model = Source
        fields = (
            "name",
            "lateness",
            "is_activity",
            "address_policy",
            "demands_user_hash",
            "demands_signature",
            "is_enabled",
            "source_rate",
            "source_burst",
            "address_rate",
            "address_burst",
            "person_rate",
            "person_burst",
        )
        labels = {"address_policy": "Visitors’ internet addresses", "is_enabled": "Takes events"}
        help_texts = {
            "address_policy": "What is kept of them, as context.ip of the event. Nothing here needs them.",
            "is_enabled": "While it does not, everything that it sends is refused.",
        }


class OriginForm(forms.ModelForm):  # type: ignore[type-arg]
    """An origin, as a browser names it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The column's heading labels the field for those who see it.
        self.fields["origin"].widget.attrs["aria-label"] = "Origin"

    def clean_origin(self) -> str:
        """Write it as browsers do."""
        try:
            return clean_origin(str(self.cleaned_data["origin"]))
        except OriginRefused as error:
            raise forms.ValidationError(str(error)) from None

    class Meta:
        model = AllowedOrigin
        fields = ("origin",)


class OriginInline(TabularInline):  # type: ignore[misc]
    """The pages that may send without a key."""

    model = AllowedOrigin
    form = OriginForm
    extra = 1
    hide_title = True
    verbose_name = "origin"
    verbose_name_plural = "Pages that may send events (their origins)"


@admin.register(Source)
class SourceAdmin(SourceKeyAdmin, CountedDeletion):
    """The apps that send events."""

    form = SourceForm
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    "lateness",
                    "is_activity",
                    "address_policy",
                    "demands_user_hash",
                    "demands_signature",
                    "is_enabled",
                )
            },
        ),
        (
            "How much may come in",
            {
                "description": (
                    "So many events a second in the long run, and so many at once; 0 is no limit. Who sends more is "
                    "told when to come again, which most clients do. The limits for one address and one person hold "
                    "for pages and apps, not for your servers."
                ),
                "fields": (
                    ("source_rate", "source_burst"),
                    ("address_rate", "address_burst"),
                    ("person_rate", "person_burst"),
                ),
            },
        ),
    )
    inlines = (OriginInline,)
    belongings = (
        (SourceKey, "source"),
        (AllowedOrigin, "source"),
        (Hook, "source"),
        (HookPayload, "hook__source"),
        (Quarantined, "source"),
    )
    holds = "source"
    list_display = ("name", "public_key", "takes_events", moment_column("created_at", "made"))
    search_fields = ("name",)
    actions = None
    change_form_template = "admin/tracking/source_form.html"
    empty_title = "No app sends events yet"
    empty_hint = "A source stands for one app: a shop's pages, a phone app, a server. It gets its own keys."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        """Read the keys of all rows at once."""
        rows: QuerySet[Source] = super().get_queryset(request)
        return rows.prefetch_related("keys")

    @admin.display(description="takes events", boolean=True, ordering="is_enabled")
    def takes_events(self, source: Source) -> bool:
        """Return whether it is not refused at the door."""
        return source.is_enabled

    @admin.display(description="public key")
    def public_key(self, source: Source) -> str:
        """Return the key that its pages are told to use."""
        return source.write_key or "–"

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        """Make a new source with its keys; the secret one is kept only for the answer to this request."""
        super().save_model(request, obj, form, change)
        if not change:
            request.secret_key = make_first_keys(obj).secret_key  # type: ignore[attr-defined]
        ensure_secrets(obj)
        forget_registry()

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save the origins too, and let this process know at once."""
        super().save_related(request, form, formsets, change)
        forget_registry()

    def delete_model(self, request: HttpRequest, obj: Source) -> None:
        """Delete, and let this process know at once."""
        super().delete_model(request, obj)
        forget_registry()

    def response_add(self, request: HttpRequest, obj: Source, post_url_continue: str | None = None) -> HttpResponse:
        """Show the keys, the secret one for the only time."""
        return self.show_new_key(request, obj, request.secret_key)  # type: ignore[attr-defined]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the form with the keys and how to use them."""
        source = self.get_object(request, object_id)
        context = describe_source(source) if source is not None else {}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | context)

    def show_new_key(self, request: HttpRequest, source: Source, secret: str) -> HttpResponse:
        """Show the keys, a secret one for the only time."""
        context = {
            **self.admin_site.each_context(request),
            **describe_source(source),
            "title": source.name,
            "secret_key": secret,
            "next_url": reverse("admin:tracking_source_change", args=[source.pk]),
        }
        response = TemplateResponse(request, "admin/tracking/source_keys.html", context)
        response["Cache-Control"] = "no-store"
        return response


def describe_source(source: Source) -> dict[str, Any]:
    """Return what a source's page shows beside its form."""
    now = datetime.now(UTC)
    counted = EventCount.objects.filter(minute__gte=now - _COUNTED, source_id=source.pk).aggregate(
        received=Sum("received"),
        without=Sum("without_identity"),
        dropped_ids=Sum("dropped_ids"),
        dropped_statements=Sum("dropped_statements"),
    )
    return {
        "source": source,
        "keys": list_keys(source, now),
        "track_url": f"{settings.PUBLIC_URL}/track-event",
        "snippet": write_snippet(settings.PUBLIC_URL, source.write_key),
        "origins": [one.origin for one in source.origins.all()],
        "received": counted["received"] or 0,
        "without_identity": counted["without"] or 0,
        "dropped_ids": counted["dropped_ids"] or 0,
        "dropped_statements": counted["dropped_statements"] or 0,
        "breaking": [one for one in find_breaking(now) if one.source_id == source.pk],
        "chart": draw_refusals(now, source.pk),
    }
