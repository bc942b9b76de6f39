"""From draft to active to paused: each step on a page that says first what it will do."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from triggers.admin.rule_effects import count_past, count_waiting
from triggers.admin.rule_parts import check_rule
from triggers.admin.rule_words import find_in_force, find_unseen, is_changed, list_awaited, list_ends, say_definition
from triggers.lifecycle import activate_rule, archive_rule, pause_rule, resume_rule
from triggers.models import Rule, RuleState, Template

Step = Callable[..., Any]
_STEPS: dict[str, tuple[Step, tuple[str, ...], str]] = {
    "activate": (activate_rule, (RuleState.DRAFT, RuleState.ACTIVE, RuleState.PAUSED), "“{}” is active."),
    "pause": (pause_rule, (RuleState.ACTIVE,), "“{}” is paused."),
    "resume": (resume_rule, (RuleState.PAUSED,), "“{}” is active again."),
    "archive": (archive_rule, (RuleState.ACTIVE, RuleState.PAUSED, RuleState.DRAFT), "“{}” is archived."),
}


class RuleSteps:
    """The pages of the steps, for the admin of rules."""

    admin_site: admin.AdminSite
    log_change: Callable[..., Any]

    def make_step_urls(self) -> list[URLPattern]:
        """Return the steps' addresses."""
        return [
            path(
                f"<int:rule_id>/{name}/",
                self.admin_site.admin_view(self._make_view(name)),
                name=f"triggers_rule_{name}",
            )
            for name in _STEPS
        ]

    def _make_view(self, name: str) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, rule_id: int) -> HttpResponse:
            return self.take_step(request, rule_id, name)

        return view

    def take_step(self, request: HttpRequest, rule_id: int, name: str) -> HttpResponse:
        """Show what a step will do; with POST, do it."""
        if not request.user.has_perm("triggers.activate_rule"):
            raise PermissionDenied
        rule = get_object_or_404(Rule, pk=rule_id)
        step, allowed_from, words = _STEPS[name]
        back = HttpResponseRedirect(reverse("admin:triggers_rule_change", args=[rule.pk]))
        if rule.state not in allowed_from:
            messages.warning(request, f"“{rule.name}” is {rule.state}: this step is not open to it.")
            return back
        effects = describe_step(rule, name)
        if request.method == "POST" and request.POST.get("seen", effects["seen"]) != effects["seen"]:
            messages.warning(request, "The rule was changed while this page was open. This is how it is now.")
            return self._ask(request, rule, name, effects)
        if request.method != "POST" or effects["problems"]:
            return self._ask(request, rule, name, effects)
        by = request.user if isinstance(request.user, User) else None
        if name == "activate":
            step(rule, by, include_past=bool(request.POST.get("include_past")) and effects["past"] is not None)
        else:
            step(rule, by)
        self.log_change(request, rule, f"{name.capitalize()}d.")
        messages.success(request, words.format(rule.name))
        return back

    def _ask(self, request: HttpRequest, rule: Rule, name: str, effects: dict[str, Any]) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            **effects,
            "title": f"{name.capitalize()} “{rule.name}”?",
            "rule": rule,
            "step": name,
        }
        return TemplateResponse(request, "admin/triggers/rule_step.html", context)


def describe_step(rule: Rule, name: str) -> dict[str, Any]:
    """Return what is shown before a step: the sentence, what changes, whom it concerns, and what forbids it."""
    in_force = find_in_force(rule)
    stored = in_force.definition if name == "resume" and in_force is not None else rule.definition
    definition: dict[str, Any] = stored if isinstance(stored, dict) else {}
    template_id = definition.get("template")
    parsed, errors = check_rule(definition) if name in ("activate", "resume") else (None, [])
    template = Template.objects.filter(pk=template_id).first() if isinstance(template_id, int) else None
    problems = [error.message for error in errors]
    if name == "activate" and template_id is not None and template is None:
        problems.append("Its message is gone: choose another.")
    return {
        "seen": rule.updated_at.isoformat(),
        "sentence": say_definition(definition),
        "before": say_definition(in_force.definition)
        if in_force and name == "activate" and is_changed(rule, in_force)
        else "",
        "in_force": in_force,
        "template": template,
        "problems": problems,
        "past": count_past(rule, parsed) if name == "activate" and parsed is not None else None,
        "waiting": count_waiting(rule) if name in ("pause", "resume", "archive") else None,
        "unseen": sorted(find_unseen(list_awaited(definition))) if name in ("activate", "resume") else [],
        "unseen_ends": sorted(find_unseen(list_ends(definition))) if name in ("activate", "resume") else [],
    }
