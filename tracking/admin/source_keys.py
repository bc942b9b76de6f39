"""A source's keys in the admin: made, added, replaced with an overlap, revoked; each shows when it was last used."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.admin import ModelAdmin

from engagement.lib.say import say_moment, say_span
from tracking.keys import KeyRefused, NewKey, add_foreign_key, make_key, revoke_key, rotate_key
from tracking.models import DEFAULT_SCOPES, KeyKind, Scope, Source, SourceKey
from tracking.registry import forget_registry

_ENDED_SHOWN = timedelta(days=30)
_OVERLAPS = (timedelta(0), timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=30))
_FOREIGN = "foreign"
MAY_GRANT_PRIVACY = "tracking.grant_privacy"
_SCOPES = (
    (Scope.INGEST.value, "Report events (ingest)"),
    (Scope.READ.value, "Read back events, people, decisions and schemas (read)"),
    (Scope.MANAGE.value, "Manage rules and settings (manage): no call asks for it yet"),
    (Scope.PRIVACY.value, "Export and erase people, of every source (privacy)"),
)
_KINDS = (
    (KeyKind.PUBLIC.value, "A new public key: for pages and phones; it may only append."),
    (
        _FOREIGN,
        "A public key that your clients carry already: their Segment write key, Mixpanel token, G-… id or phc_… key.",
    ),
    (KeyKind.SECRET.value, "A new secret key: for servers; it may do what you choose below."),
    (KeyKind.IDENTITY.value, "A new identity secret: your server makes user hashes with it."),
    (KeyKind.SIGNING.value, "A new signing secret: your server signs its requests with it."),
)


class AddKeyForm(forms.Form):
    """Which key to add."""

    kind = forms.ChoiceField(choices=_KINDS, widget=forms.RadioSelect, label="Which key?", initial=KeyKind.PUBLIC)
    value = forms.CharField(
        max_length=255,
        required=False,
        label="The key that your clients carry",
        help_text="They then need only another host name. It becomes public: anybody with it may append events.",
        widget=forms.TextInput(attrs={"class": "plain-input", "autocomplete": "off", "spellcheck": "false"}),
    )
    scopes = forms.MultipleChoiceField(
        choices=_SCOPES,
        widget=forms.CheckboxSelectMultiple,
        label="What may a secret key do?",
        initial=DEFAULT_SCOPES,
        required=False,
    )
    label = forms.CharField(
        max_length=100,
        required=False,
        label="Who uses it",
        help_text="A word for those who come after you, such as “iOS app” or “billing server”.",
        widget=forms.TextInput(attrs={"class": "plain-input"}),
    )

    def clean(self) -> dict[str, Any]:
        """Ask for the value where one is meant."""
        given = super().clean() or {}
        if given.get("kind") == _FOREIGN and not given.get("value"):
            self.add_error("value", "Paste the key that your clients carry.")
        if given.get("kind") == KeyKind.SECRET and not given.get("scopes"):
            self.add_error("scopes", "Choose what it may do.")
        return given


class RotateKeyForm(forms.Form):
    """How long the old key goes on."""

    overlap = forms.TypedChoiceField(
        coerce=int,
        label="How long does the old key still work?",
        initial=int(timedelta(days=7).total_seconds()),
        choices=[
            (int(span.total_seconds()), say_span(span) if span else "Not at all: it is refused at once")
            for span in _OVERLAPS
        ],
        widget=forms.Select(attrs={"class": "plain-input"}),
    )


class SourceKeyAdmin(ModelAdmin):  # type: ignore[misc]
    """The part of a source's page that is about its keys."""

    def get_urls(self) -> list[URLPattern]:
        """Add the pages of keys."""
        view: Callable[..., Any] = self.admin_site.admin_view
        own = [
            path("<int:source_id>/keys/add/", view(self.add_key), name="tracking_source_add_key"),
            path("<int:source_id>/keys/<int:key_id>/rotate/", view(self.rotate), name="tracking_source_rotate_key"),
            path("<int:source_id>/keys/<int:key_id>/revoke/", view(self.revoke), name="tracking_source_revoke_key"),
        ]
        return [*own, *super().get_urls()]

    def add_key(self, request: HttpRequest, source_id: int) -> HttpResponse:
        """Ask which key, and give the source one more."""
        source = self._find(request, source_id)
        form = AddKeyForm(request.POST or None)
        if Scope.PRIVACY.value in request.POST.getlist("scopes") and not request.user.has_perm(MAY_GRANT_PRIVACY):
            raise PermissionDenied
        if request.method == "POST" and form.is_valid():
            given = form.cleaned_data
            if given["kind"] != _FOREIGN:
                made = make_key(source, KeyKind(given["kind"]), label=given["label"], scopes=given["scopes"])
                return self._tell(request, source, made, f"Made a {made.key.get_kind_display()}.")
            try:
                key = add_foreign_key(source, given["value"], label=given["label"])
            except KeyRefused as error:
                form.add_error("value", str(error))
            else:
                return self._tell(request, source, NewKey(key=key, value=given["value"]), f"Added the key {key}.")
        return self._ask(
            request,
            "source_key_add.html",
            f"Give {source} one more key",
            source,
            form=form,
            may_grant=request.user.has_perm(MAY_GRANT_PRIVACY),
        )

    def rotate(self, request: HttpRequest, source_id: int, key_id: int) -> HttpResponse:
        """Ask how long the old key goes on, and make its successor."""
        source = self._find(request, source_id)
        key = get_object_or_404(source.keys, pk=key_id, revoked_at=None)
        if Scope.PRIVACY.value in key.scopes and not request.user.has_perm(MAY_GRANT_PRIVACY):
            messages.error(request, f"{key} may export and erase people: to replace it, you need the permission to.")
            return HttpResponseRedirect(reverse("admin:tracking_source_change", args=[source.pk]))
        form = RotateKeyForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            overlap = timedelta(seconds=form.cleaned_data["overlap"])
            made = rotate_key(key, now=datetime.now(UTC), overlap=overlap)
            key.refresh_from_db()
            says = (
                f"The old {key.get_kind_display()} works until {say_moment(key.expires_at)}."
                if overlap
                else (f"The old {key.get_kind_display()} is refused from now on.")
            )
            messages.warning(request, says)
            return self._tell(request, source, made, f"Replaced the {key.get_kind_display()} {key}.")
        title = f"Make a successor of this {key.get_kind_display()}?"
        return self._ask(request, "source_key_rotate.html", title, source, form=form, key=key)

    def revoke(self, request: HttpRequest, source_id: int, key_id: int) -> HttpResponse:
        """Ask, and refuse a key from now on."""
        source = self._find(request, source_id)
        key = get_object_or_404(source.keys, pk=key_id, revoked_at=None)
        if request.method == "POST":
            revoke_key(key, now=datetime.now(UTC))
            messages.warning(request, f"The {key.get_kind_display()} {key} is refused from now on, everywhere.")
            return self._tell(request, source, None, f"Revoked the {key.get_kind_display()} {key}.")
        title = f"Revoke this {key.get_kind_display()}?"
        return self._ask(request, "source_key_revoke.html", title, source, key=key)

    def show_new_key(self, request: HttpRequest, source: Source, secret: str) -> HttpResponse:
        """Show a secret key for the only time."""
        raise NotImplementedError

    def _find(self, request: HttpRequest, source_id: int) -> Source:
        source = get_object_or_404(Source, pk=source_id)
        if not self.has_change_permission(request, source):
            raise PermissionDenied
        return source

    def _tell(self, request: HttpRequest, source: Source, made: NewKey | None, change: str) -> HttpResponse:
        forget_registry()
        self.log_change(request, source, change)
        if made is not None and made.key.kind == KeyKind.SECRET:
            return self.show_new_key(request, source, made.value)
        return HttpResponseRedirect(reverse("admin:tracking_source_change", args=[source.pk]))

    def _ask(self, request: HttpRequest, template: str, title: str, source: Source, **context: Any) -> HttpResponse:
        whole = {**self.admin_site.each_context(request), "title": title, "source": source, **context}
        return TemplateResponse(request, f"admin/tracking/{template}", whole)


def list_keys(source: Source, now: datetime) -> list[SourceKey]:
    """Return the keys that a source's page shows: those that hold, then those that ended not long ago."""
    keys = [key for key in source.keys.all() if now - _find_end(key, now) < _ENDED_SHOWN]
    for key in keys:
        key.is_holding = key.holds(now)  # type: ignore[attr-defined]
    order = [kind.value for kind in KeyKind]
    return sorted(keys, key=lambda key: (not key.holds(now), order.index(key.kind), key.pk))


def _find_end(key: SourceKey, now: datetime) -> datetime:
    return min(key.revoked_at or now, key.expires_at or now, now)
