"""Templates: edit, preview, try on oneself; each change is a new version."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.validators import validate_email
from django.forms import ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path

from engagement.lib.pages import PageAdmin
from engagement.lib.say import moment_column
from tracking.models import Event
from triggers.admin.template_form import TemplateForm, load_newest, read_words
from triggers.admin.template_trial import collect_variables, find_person, list_events, list_people
from triggers.channels.base import SendResult
from triggers.deliver.trial import TestRefused, send_test
from triggers.models import Rule, Template, TemplateVersion
from triggers.policy.decision import SENTENCES, Reason
from triggers.render.liquid import RenderFailed, render_message
from triggers.template_versions import save_template

SENT_TEST = "Sent a test"
_NOBODY = UUID(int=0)
_SHOWN_VERSIONS = 20
_NEEDS_BOTH = "Choose a person and one of their events."


@admin.register(Template)
class TemplateAdmin(PageAdmin):
    """The words of messages."""

    form = TemplateForm
    list_display = ("name", moment_column("created_at", "made"))
    search_fields = ("name",)
    fields = ("name", "subject", "html", "text", "on_missing")
    change_form_template = "admin/triggers/template_form.html"
    actions = None
    empty_title = "No message has words yet"
    empty_hint = (
        "A template holds a message's subject and text, with places for what is known of the person and the event."
    )

    def get_urls(self) -> list[URLPattern]:
        """Add what the page's script asks for."""
        wrap = self.admin_site.admin_view
        own = [
            path("trial/events/", wrap(self.offer_events), name="triggers_template_events"),
            path("trial/preview/", wrap(self.preview), name="triggers_template_preview"),
            path("trial/send/", wrap(self.send), name="triggers_template_send"),
        ]
        return [*own, *super().get_urls()]

    def has_delete_permission(self, request: HttpRequest, obj: Template | None = None) -> bool:
        """A template that a rule or a sent message needs stays."""
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and not (obj is not None and Rule.objects.filter(definition__template=obj.pk).exists())

    def save_model(self, request: HttpRequest, obj: Template, form: Any, change: bool) -> None:
        """Store the words as the newest version, and name what looks wrong."""
        super().save_model(request, obj, form, change)
        words = {name: form.cleaned_data[name] for name in ("subject", "html", "text", "on_missing")}
        before = load_newest(obj)
        version = save_template(obj, **words)
        if before is None or version.pk != before.pk:
            messages.info(request, f"Saved as version {version.number}; messages from now on use it.")
        for problem in form.suspicions:
            messages.warning(request, f"{problem.part.capitalize()}: {problem.message}")

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the form with people to try it on, and the versions."""
        known = int(object_id) if object_id and object_id.isdecimal() else 0
        versions = TemplateVersion.objects.filter(template_id=known).order_by("-number")
        context = {
            "people": list_people(),
            "versions": list(versions[:_SHOWN_VERSIONS]),
            "own_address": getattr(request.user, "email", ""),
        }
        return super().changeform_view(request, object_id, form_url, (extra_context or {}) | context)

    def offer_events(self, request: HttpRequest) -> JsonResponse:
        """Answer with a person's latest events."""
        self._allow(request)
        person = find_person(request.GET.get("person", ""))
        return JsonResponse({"found": person is not None, "events": list_events(person) if person is not None else []})

    def preview(self, request: HttpRequest) -> JsonResponse:
        """Answer with the words on the page, filled in."""
        variables = self._read_variables(request)
        if variables is None:
            return JsonResponse({"problem": _NEEDS_BOTH})
        rendered = render_message(read_words(request.POST.dict()), variables)
        if isinstance(rendered, RenderFailed):
            return JsonResponse({"problem": _say_failure(rendered)})
        return JsonResponse({"subject": rendered.subject, "html": rendered.html, "text": rendered.text})

    def send(self, request: HttpRequest) -> JsonResponse:
        """Mail the words on the page, filled in, to one of us; the admin's log says who did, and what became of it."""
        variables = self._read_variables(request)
        if variables is None:
            return JsonResponse({"problem": _NEEDS_BOTH})
        address = request.POST.get("address", "").strip()
        try:
            validate_email(address)
        except ValidationError:
            return JsonResponse({"problem": "Enter the mail address to which the test goes."})
        names = ("subject", "html", "text", "on_missing")
        words = TemplateVersion(number=0, **{name: request.POST.get(name, "") for name in names})
        outcome = send_test(words, address, variables)
        if isinstance(outcome, TestRefused):
            return JsonResponse({"problem": outcome.sentence})
        if isinstance(outcome, RenderFailed):
            return JsonResponse({"problem": _say_failure(outcome)})
        is_sent = outcome.result is SendResult.ACCEPTED
        self._log_test(request, f"{SENT_TEST if is_sent else 'Tried to send a test'} to {address}.")
        if not is_sent:
            return JsonResponse({"problem": f"The mail server did not take it: {outcome.detail}"})
        return JsonResponse({"done": f"Sent to {address}."})

    def _log_test(self, request: HttpRequest, says: str) -> None:
        """Log it of the template, or under its name where that is not saved yet."""
        name = request.POST.get("name", "")
        template = Template.objects.filter(name=name).first() or Template(name=name or "not saved yet")
        self.log_change(request, template, says)

    def _allow(self, request: HttpRequest) -> None:
        if not self.has_change_permission(request):
            raise PermissionDenied

    def _read_variables(self, request: HttpRequest) -> dict[str, Any] | None:
        self._allow(request)
        person = find_person(request.POST.get("person", ""))
        try:
            event = Event.objects.filter(pk=request.POST.get("event_id") or _NOBODY).first()
        except ValidationError:
            event = None
        if person is None or event is None or event.profile_id != person.pk:
            return None
        return collect_variables(person, event)


def _say_failure(failed: RenderFailed) -> str:
    if failed.reason == Reason.MISSING_VARIABLE:
        return f"It would not be sent: {failed.detail} has no value here. Give it a default, or choose to send anyway."
    return f"{SENTENCES[Reason.TEMPLATE_ERROR]} {failed.detail}"
