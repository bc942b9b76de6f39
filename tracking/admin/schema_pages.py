"""The pages on which a schema is edited, tried, approved and withdrawn."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.widgets import UnfoldAdminTextareaWidget

from engagement.lib.pages import PageAdmin
from tracking.admin.type_page import describe_version, write_schema
from tracking.models import EventType, SchemaVersion
from tracking.sampling import read_samples
from tracking.schema.compile import SchemaInvalid
from tracking.schema.infer import infer_schema
from tracking.schemas import add_draft, approve_version, withdraw_schema


class SchemaForm(forms.Form):
    """A schema as JSON."""

    schema = forms.CharField(
        label="Schema",
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 28, "spellcheck": "false", "class": "code"}),
        help_text=(
            "JSON Schema 2020-12 of the event’s properties. Names that it does not describe are allowed unless it says "
            '"additionalProperties": false.'
        ),
    )


class SchemaPages(PageAdmin):
    """What the admin of event types has beside its list and form."""

    def make_schema_urls(self) -> list[URLPattern]:
        """Return the addresses of these pages."""
        view = self.admin_site.admin_view
        return [
            path("<int:type_id>/schema/", view(self.edit_schema), name="tracking_eventtype_schema"),
            path("<int:type_id>/schema/withdraw/", view(self.withdraw), name="tracking_eventtype_withdraw"),
            path("<int:type_id>/schema/<int:number>/", view(self.show_version), name="tracking_eventtype_version"),
        ]

    def edit_schema(self, request: HttpRequest, type_id: int) -> HttpResponse:
        """Edit: try what stands there on the events that were seen, or save it as a draft."""
        event_type = self._find(request, type_id)
        form = SchemaForm(request.POST or None, initial={"schema": _choose_text(event_type, request.GET)})
        found: dict[str, Any] = {}
        if request.method == "POST" and form.is_valid():
            text = form.cleaned_data["schema"]
            try:
                if "_save" in request.POST:
                    return self._save(request, event_type, text)
                found = describe_version(event_type, text)
            except SchemaInvalid as error:
                form.add_error("schema", f"{error.message} (at {error.path})")
        context = {"title": f"Schema of {event_type.name}", "form": form, "is_tried": bool(found)} | found
        return self._show(request, event_type, "admin/tracking/schema_edit.html", context)

    def show_version(self, request: HttpRequest, type_id: int, number: int) -> HttpResponse:
        """Show a version, what it would change, and put it in force."""
        event_type = self._find(request, type_id)
        version = get_object_or_404(
            SchemaVersion.objects.select_related("approved_by"), event_type=event_type, number=number
        )
        if request.method == "POST":
            return self._approve(request, event_type, version)
        context = {"title": f"Schema of {event_type.name}, version {number}", "version": version}
        found = describe_version(event_type, version.schema)
        return self._show(request, event_type, "admin/tracking/schema_version.html", context | found)

    def withdraw(self, request: HttpRequest, type_id: int) -> HttpResponse:
        """Have no schema in force, after a question."""
        event_type = self._find(request, type_id)
        if request.method == "POST":
            withdraw_schema(event_type)
            self.log_change(request, event_type, "Withdrew the schema.")
            messages.success(request, "No schema is in force: every event of this type is taken.")
            return _go_to(event_type)
        context = {"title": f"Have no schema for {event_type.name}?"}
        return self._show(request, event_type, "admin/tracking/schema_withdraw.html", context)

    def _save(self, request: HttpRequest, event_type: EventType, text: str) -> HttpResponse:
        version = add_draft(event_type, text, request.user)  # type: ignore[arg-type]
        self.log_change(request, event_type, f"Saved version {version.number} of the schema.")
        messages.success(request, f"Version {version.number} is saved as a draft. Nothing has changed at the door yet.")
        return HttpResponseRedirect(reverse("admin:tracking_eventtype_version", args=[event_type.pk, version.number]))

    def _approve(self, request: HttpRequest, event_type: EventType, version: SchemaVersion) -> HttpResponse:
        approve_version(version, request.user, datetime.now(UTC))  # type: ignore[arg-type]
        self.log_change(request, event_type, f"Approved version {version.number} of the schema.")
        messages.success(request, f"Version {version.number} is in force.")
        return _go_to(event_type)

    def _find(self, request: HttpRequest, type_id: int) -> EventType:
        event_type = get_object_or_404(EventType.objects.select_related("in_force"), pk=type_id)
        if not self.has_change_permission(request, event_type):
            raise PermissionDenied
        return event_type

    def _show(
        self, request: HttpRequest, event_type: EventType, template: str, context: dict[str, Any]
    ) -> HttpResponse:
        whole = {**self.admin_site.each_context(request), "opts": self.opts, "event_type": event_type, **context}
        return TemplateResponse(request, template, whole)


def _choose_text(event_type: EventType, asked: Any) -> str:
    """Return where editing begins: an asked version, the events, or else the newest version; the events without one."""
    number = asked.get("version", "")
    versions = event_type.versions.order_by("-number")
    if asked.get("from") != "events":
        found = (versions.filter(number=int(number)) if number.isdecimal() else versions).first()
        if found is not None:
            return found.schema
    return write_schema(infer_schema([sample.properties for sample in read_samples(event_type.name)]))


def _go_to(event_type: EventType) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:tracking_eventtype_change", args=[event_type.pk]))
