"""Sources: made with their keys, and a page that says how to send the first event."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.admin import TabularInline

from engagement.lib.duration_field import DurationInUnitsField
from engagement.lib.pages import PageAdmin
from engagement.lib.say import moment_column
from tracking.models import AllowedOrigin, EventCount, Source
from tracking.registry import forget_registry
from tracking.snippet import write_snippet
from tracking.sources import create_source, replace_secret_key

_COUNTED = timedelta(hours=24)


class SourceForm(forms.ModelForm):  # type: ignore[type-arg]
    """A source's name and what its events mean."""

    lateness = DurationInUnitsField(
        label="Lateness",
        initial=Source._meta.get_field("lateness").default,
        help_text=Source._meta.get_field("lateness").help_text,
    )

    class Meta:
        model = Source
        fields = ("name", "lateness", "is_activity", "is_enabled")


class OriginForm(forms.ModelForm):  # type: ignore[type-arg]
    """An origin, as a browser names it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The column's heading labels the field for those who see it.
        self.fields["origin"].widget.attrs["aria-label"] = "Origin"

    def clean_origin(self) -> str:
        """Cut what a browser would not send."""
        origin = str(self.cleaned_data["origin"]).strip().rstrip("/").lower()
        scheme, separator, host = origin.partition("://")
        if scheme not in ("http", "https") or not separator or not host or "/" in host:
            raise forms.ValidationError("An origin is a scheme and a host, such as https://shop.example")
        return origin

    class Meta:
        model = AllowedOrigin
        fields = ("origin",)


class OriginInline(TabularInline):  # type: ignore[misc]
    """The pages that may send without a key."""

    model = AllowedOrigin
    form = OriginForm
    extra = 1
    verbose_name = "allowed origin"
    verbose_name_plural = "Pages that may send events (their origins)"


@admin.register(Source)
class SourceAdmin(PageAdmin):
    """The apps that send events."""

    form = SourceForm
    inlines = (OriginInline,)
    list_display = ("name", "write_key", "is_enabled", moment_column("created_at", "made"))
    search_fields = ("name",)
    actions = None
    change_form_template = "admin/tracking/source_form.html"
    empty_title = "No app sends events yet"
    empty_hint = "A source stands for one app: a shop's pages, a phone app, a server. It gets its own keys."

    def get_urls(self) -> list[URLPattern]:
        """Add the replacement of the secret key."""
        view = self.admin_site.admin_view(self.replace_secret)
        own = path("<int:source_id>/replace-secret/", view, name="tracking_source_replace_secret")
        return [own, *super().get_urls()]

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        """Make a new source with its keys; the secret one is kept only for the answer to this request."""
        if not change:
            made, keys = create_source(obj.name)
            obj.pk, obj.write_key, obj.created_at = made.pk, made.write_key, made.created_at
            obj.secret_prefix, obj.secret_hash = made.secret_prefix, made.secret_hash
            obj._state.adding, obj._state.db = False, made._state.db
            request.secret_key = keys.secret_key  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)
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
        return self._show_keys(request, obj, request.secret_key)  # type: ignore[attr-defined]

    def replace_secret(self, request: HttpRequest, source_id: int) -> HttpResponse:
        """Ask, then give the source a new secret key and show it once."""
        source = get_object_or_404(Source, pk=source_id)
        if not self.has_change_permission(request, source):
            raise PermissionDenied
        if request.method == "POST":
            secret = replace_secret_key(source)
            forget_registry()
            self.log_change(request, source, "Replaced the secret key.")
            messages.warning(request, "The old secret key is refused from now on.")
            return self._show_keys(request, source, secret)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Replace the secret key of {source.name}?",
            "source": source,
        }
        return TemplateResponse(request, "admin/tracking/replace_secret.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the form with the keys and how to use them."""
        source = self.get_object(request, object_id)
        context = describe_source(source) if source is not None else {}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | context)

    def _show_keys(self, request: HttpRequest, source: Source, secret: str) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            **describe_source(source),
            "title": source.name,
            "secret_key": secret,
            "source": source,
            "next_url": reverse("admin:tracking_source_change", args=[source.pk]),
        }
        response = TemplateResponse(request, "admin/tracking/source_keys.html", context)
        response["Cache-Control"] = "no-store"
        return response


def describe_source(source: Source) -> dict[str, Any]:
    """Return what a source's page shows beside its form."""
    since = datetime.now(UTC) - _COUNTED
    counted = EventCount.objects.filter(minute__gte=since, source_id=source.pk).aggregate(
        received=Sum("received"), without=Sum("without_identity")
    )
    return {
        "source": source,
        "track_url": f"{settings.PUBLIC_URL}/track-event",
        "snippet": write_snippet(settings.PUBLIC_URL, source.write_key),
        "origins": [one.origin for one in source.origins.all()],
        "received": counted["received"] or 0,
        "without_identity": counted["without"] or 0,
    }
