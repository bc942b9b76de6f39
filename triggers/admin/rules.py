"""Rules: a form without JSON, the sentence below it, and what became of each."""

import json
from typing import Any

import msgspec
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from unfold.views import ChangeList as UnfoldChangeList

from engagement.lib.pages import PageAdmin
from engagement.lib.say import mark_names, say_moment
from triggers.admin.rule_editor import describe_editor
from triggers.admin.rule_form import RuleForm
from triggers.admin.rule_steps import RuleSteps
from triggers.admin.rule_words import (
    find_in_force,
    find_last_activation,
    find_unseen_in,
    is_changed,
    list_worries,
    load_broken,
    say_definition,
    show_rule_state,
)
from triggers.admin.vocabulary import load_seen_values
from triggers.models import Activation, Rule, RuleState, RuleVersion
from triggers.recipes.drafts import find_free_name, find_recipe_template
from triggers.rules.parse import dump_definition
from triggers.rules.recipes import RECIPES

_SHOWN_VERSIONS = 20


class RuleList(UnfoldChangeList):  # type: ignore[misc]
    """A page of rules, with what is known of the events they wait for."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the page, then, at once for all rows, which awaited events were never seen."""
        super().get_results(request)
        rows: list[Any] = list(self.result_list)  # type: ignore[has-type]
        unseen, broken = find_unseen_in(rule.definition for rule in rows), load_broken()
        for rule in rows:
            rule.worries = list_worries(rule, unseen, rule.last_at, rule.active_since, broken)
        self.result_list = rows


@admin.register(Rule)
class RuleAdmin(RuleSteps, PageAdmin):
    """Which behaviour starts which message."""

    form = RuleForm
    list_display = ("name", "state_says", "sentence", "last_matched", "attention")
    list_filter = ("state",)
    search_fields = ("name", "description")
    list_per_page = 50
    actions = None
    change_form_template = "admin/triggers/rule_form.html"
    fields = ("name", "description")
    empty_title = "No rule yet"
    empty_hint = (
        "A rule says which behaviour starts which message. Begin with a recipe: cart left, welcome back, session ended."
    )

    def get_urls(self) -> list[URLPattern]:
        """Add the steps, the sentence and the values that properties have had."""
        describe = path("describe/", self.admin_site.admin_view(self.describe), name="triggers_rule_describe")
        values = path("values/", self.admin_site.admin_view(self.list_values), name="triggers_rule_values")
        return [describe, values, *self.make_step_urls(), *super().get_urls()]

    def list_values(self, request: HttpRequest) -> JsonResponse:
        """Answer what the properties of an event have held: {path: [values]}."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return JsonResponse(load_seen_values(request.GET.get("event", "")))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the list with its worries."""
        return RuleList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rule]:
        """Read with each rule when it last matched and since when it is active, in one query."""
        last = Activation.objects.filter(rule_id=OuterRef("pk")).order_by("-id").values("created_at")[:1]
        since = RuleVersion.objects.filter(rule=OuterRef("pk"), state=RuleState.ACTIVE).order_by("-number")
        rows: QuerySet[Rule] = super().get_queryset(request)
        return rows.annotate(last_at=Subquery(last), active_since=Subquery(since.values("created_at")[:1]))

    def has_delete_permission(self, request: HttpRequest, obj: Rule | None = None) -> bool:
        """Only a rule that was never in force can go without a trace; the others are archived."""
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and (obj is None or not obj.versions.exists())

    @admin.display(description="state", ordering="state")
    def state_says(self, rule: Rule) -> str:
        """Return the state."""
        return show_rule_state(rule.state)

    @admin.display(description="what it says")
    def sentence(self, rule: Rule) -> str:
        """Return the rule's sentence."""
        sentence = say_definition(rule.definition) or "not complete yet"
        return format_html('<span class="wrap">{}</span>', mark_names(sentence))

    @admin.display(description="last matched")
    def last_matched(self, rule: Any) -> str:
        """Return when it matched last."""
        return say_moment(rule.last_at) if rule.last_at else "never"

    @admin.display(description="attention")
    def attention(self, rule: Any) -> str:
        """Return what looks wrong."""
        return format_html('<span class="wrap">{}</span>', " ".join(rule.worries))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin a new rule from a recipe."""
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        recipe = next((one for one in RECIPES if one.key == request.GET.get("recipe")), None)
        if recipe is None:
            return {}
        template_id = find_recipe_template(recipe)
        if template_id is None:
            messages.warning(request, f"The message of “{recipe.name}” is gone: choose another below, or make one.")
        definition = msgspec.structs.replace(recipe.definition, template=template_id)
        initial |= {"name": find_free_name(recipe.name), "description": recipe.description}
        return initial | {"definition": load_definition(definition)}

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the form with the editor's vocabulary and what is known of the rule."""
        rule = self.get_object(request, object_id) if object_id else None
        context = describe_editor() | {"recipes": RECIPES} | (describe_rule_page(rule) if rule is not None else {})
        context["may_activate"] = request.user.has_perm("triggers.activate_rule")
        return super().changeform_view(request, object_id, form_url, (extra_context or {}) | context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Give the page the errors that its script places at their rows."""
        found = getattr(context["adminform"].form, "condition_errors", [])
        context["condition_errors"] = [{"path": error.path, "message": error.message} for error in found]
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return response

    def describe(self, request: HttpRequest) -> JsonResponse:
        """Answer with the sentence of what stands in the form, or what is still missing."""
        if request.method != "POST" or not (self.has_change_permission(request) or self.has_add_permission(request)):
            raise PermissionDenied
        form = RuleForm(request.POST)
        form.is_valid()
        return JsonResponse({"sentence": form.describe(), "missing": form.list_problems()[:1]})


def load_definition(definition: Any) -> dict[str, Any]:
    """Return a definition as the JSON that is stored."""
    stored: dict[str, Any] = json.loads(dump_definition(definition))
    return stored


def describe_rule_page(rule: Rule) -> dict[str, Any]:
    """Return what a rule's page shows beside its form."""
    in_force = find_in_force(rule)
    last_at = find_last_activation(rule.pk)
    since = in_force.created_at if in_force is not None else None
    versions = rule.versions.select_related("created_by").order_by("-number")[:_SHOWN_VERSIONS]
    return {
        "rule": rule,
        "rule_state": show_rule_state(rule.state),
        "in_force": in_force,
        "is_changed": is_changed(rule, in_force),
        "last_at": last_at,
        "worries": list_worries(rule, find_unseen_in([rule.definition]), last_at, since, load_broken()),
        "versions": [
            {"row": row, "state": show_rule_state(row.state), "sentence": say_definition(row.definition)}
            for row in versions
        ],
    }
