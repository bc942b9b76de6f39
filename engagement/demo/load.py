"""Loading the demo: once. What somebody changed, paused or deleted since then stays as they left it."""

import json
import re
from typing import Any

from django.conf import settings
from django.db import transaction

from engagement.demo.demo_rules import DEMO_RULES
from engagement.demo.first_curl import compose_first_curl
from engagement.demo.origins import SOURCE_NAME, find_demo_source, list_origins
from engagement.demo.words import DEMO_CART, DEMO_SESSION, DEMO_WELCOME, compose_demo_html
from engagement.local.state import write_private
from tracking.models import AllowedOrigin, Source
from tracking.registry import forget_registry
from tracking.sources import create_source
from triggers.lifecycle import activate_rule
from triggers.models import Rule, RuleState, Template, TemplateVersion
from triggers.recipes.mails import Mail
from triggers.rules.definition import RuleDefinition
from triggers.rules.parse import dump_definition
from triggers.template_versions import save_template

_SHOP_LINK = re.compile(r'https?://[^"/]+/demo/')


def load_demo() -> list[str]:
    """Make what is lacking and return a line for each change; nothing to do gives no line."""
    with transaction.atomic():
        source = _find_source()
        changes = _load_content() if source is None else _keep_to_source(source)
        changes += _allow_origins() + _move_links()
    if changes:
        forget_registry()
    return changes + _write_first_curl()


def _find_source() -> Source | None:
    return Source.objects.filter(name=SOURCE_NAME).first() or find_demo_source()


def _load_content() -> list[str]:
    source, _ = create_source(SOURCE_NAME)
    changes = [f"Source “{SOURCE_NAME}”"]
    for rule in DEMO_RULES:
        definition = rule.compose_definition(_ensure_template(rule.mail).pk, source.pk)
        made = _make_rule(rule.name, rule.description, definition)
        if made is not None:
            activate_rule(made)
            changes.append(f"Rule “{rule.name}”, active")
    return changes


def _keep_to_source(source: Source) -> list[str]:
    """Keep the rules of an earlier release, which wrote to people of every source, to the demo's own.

    Only those that are active as they were loaded: what somebody changed or paused is theirs.
    """
    changes = []
    for demo in DEMO_RULES:
        rule = Rule.objects.filter(name=demo.name, state=RuleState.ACTIVE).first()
        template_id = rule.definition.get("template") if rule is not None else None
        if rule is None or not isinstance(template_id, int):
            continue
        if rule.definition != _store(demo.compose_unbound(template_id)):
            continue
        rule.definition = _store(demo.compose_definition(template_id, source.pk))
        rule.save(update_fields=["definition", "updated_at"])
        activate_rule(rule)
        changes.append(f"Rule “{rule.name}”, for the people of “{source.name}” only")
    return changes


def _store(definition: RuleDefinition) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads(dump_definition(definition))
    return stored


def _make_rule(name: str, description: str, definition: RuleDefinition) -> Rule | None:
    """Return a new rule, None where one of this name is there."""
    draft = {"description": description, "definition": _store(definition)}
    rule, is_new = Rule.objects.get_or_create(name=name, defaults=draft)
    return rule if is_new else None


def _ensure_template(mail: Mail) -> Template:
    template, is_new = Template.objects.get_or_create(name=mail.name)
    if is_new:
        save_template(template, subject=mail.subject, html=compose_demo_html(mail, settings.PUBLIC_URL), text="")
    return template


def _allow_origins() -> list[str]:
    """Let the pages of this installation report to the demo's source; an origin that another source has stays there."""
    source = _find_source()
    known = set(AllowedOrigin.objects.values_list("origin", flat=True))
    lacking = [origin for origin in list_origins() if origin not in known]
    AllowedOrigin.objects.bulk_create(AllowedOrigin(source=source, origin=origin) for origin in lacking)
    return [f"Origin {origin}" for origin in lacking]


def _move_links() -> list[str]:
    """Follow the installation to another port: a demo mail whose shop link is out of date gets a new version."""
    changes = []
    link = f"{settings.PUBLIC_URL}/demo/"
    for mail in (DEMO_CART, DEMO_SESSION, DEMO_WELCOME):
        newest = TemplateVersion.objects.filter(template__name=mail.name).order_by("number").last()
        if newest is None:
            continue
        html = _SHOP_LINK.sub(link, newest.html)
        if html != newest.html:
            save_template(
                newest.template, subject=newest.subject, html=html, text=newest.text, on_missing=newest.on_missing
            )
            changes.append(f"Template “{mail.name}”, with links to {link}")
    return changes


def _write_first_curl() -> list[str]:
    path, line = settings.STATE_DIR / "first-curl", compose_first_curl(settings.PUBLIC_URL)
    if not line or (path.exists() and path.read_text() == line):
        return []
    write_private(path, line)
    return [f"The first curl line, in {path}"]
