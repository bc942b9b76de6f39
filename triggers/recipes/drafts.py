"""Storing the recipes as drafts, once: one that somebody deleted does not come back."""

import json
from itertools import count

import msgspec
from django.apps.registry import Apps

from triggers.models import Rule, Template
from triggers.recipes.mails import RECIPE_MAILS, compose_html
from triggers.rules.parse import dump_definition
from triggers.rules.recipes import RECIPES, Recipe


def find_recipe_template(recipe: Recipe) -> int | None:
    """Return the template that came with a recipe, under its name or that of its draft; None where it is gone."""
    named = Template.objects.filter(name=RECIPE_MAILS[recipe.key].name).values_list("pk", flat=True).first()
    if named is not None:
        return named
    drafted = Rule.objects.filter(name=recipe.name).values_list("definition__template", flat=True).first()
    return Template.objects.filter(pk=drafted).values_list("pk", flat=True).first() if drafted else None


def find_free_name(name: str) -> str:
    """Return a name that no rule has: the given one, or with a number behind it."""
    taken = set(Rule.objects.filter(name__startswith=name).values_list("name", flat=True))
    return next(one for number in count(1) if (one := name if number == 1 else f"{name} {number}") not in taken)


def store_recipes(apps: Apps) -> None:
    """Make the recipes' templates and rules where no other of the same name is there. `apps` as in a migration."""
    template_model, version_model = (apps.get_model("triggers", name) for name in ("Template", "TemplateVersion"))
    rule_model = apps.get_model("triggers", "Rule")
    for recipe in RECIPES:
        mail = RECIPE_MAILS[recipe.key]
        template, is_new = template_model.objects.get_or_create(name=mail.name)
        if is_new:
            html = compose_html(mail)
            version_model.objects.create(template=template, number=1, subject=mail.subject, html=html, text="")
        definition = json.loads(dump_definition(msgspec.structs.replace(recipe.definition, template=template.pk)))
        draft = {"description": recipe.description, "definition": definition}
        rule_model.objects.get_or_create(name=recipe.name, defaults=draft)
