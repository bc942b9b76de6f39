"""Storing the recipes as drafts, once: one that somebody deleted does not come back."""

import json

import msgspec
from django.apps.registry import Apps

from triggers.recipes.mails import RECIPE_MAILS, compose_html
from triggers.rules.parse import dump_definition
from triggers.rules.recipes import RECIPES


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
