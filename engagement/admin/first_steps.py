"""What a newcomer does first; each step turns green by itself."""

from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet
from django.urls import reverse
from msgspec import Struct

from tracking.models import EventType, Source
from triggers.admin.templates import SENT_TEST
from triggers.models import Rule, RuleState, RuleVersion, Template


class FirstStep(Struct, frozen=True, kw_only=True):
    """One step: what to do, where, and whether it has been done."""

    key: str
    title: str
    hint: str
    url: str
    is_done: bool


def load_first_steps(user: Any) -> list[FirstStep]:
    """Return in their order the steps whose pages somebody may open; five cheap questions."""
    tests = _find_entries(Template).filter(change_message__contains=SENT_TEST)
    activated = RuleVersion.objects.filter(state=RuleState.ACTIVE, created_by__isnull=False)
    steps = [
        _make_step("source", Source.objects.exists(), "tracking_source_add"),
        _make_step(
            "event", EventType.objects.filter(last_seen_at__isnull=False).exists(), "tracking_source_changelist"
        ),
        _make_step("recipe", _find_entries(Rule).exists(), "triggers_rule_changelist"),
        _make_step("test", tests.exists(), "triggers_template_changelist"),
        _make_step("activate", activated.exists(), "triggers_rule_changelist"),
    ]
    return [step for step in steps if user.has_perm(_PERMISSIONS[step.key])]


_WORDS: dict[str, tuple[str, str]] = {
    "source": ("Create a source", "An app that sends events, with keys of its own."),
    "event": ("Send the first event", "With the line on the source’s page. This turns green by itself."),
    "recipe": (
        "Pick a recipe",
        "They lie among the rules as drafts: open one, change it, save it.",
    ),
    "test": ("Send yourself a test", "On a template’s page: choose a person and an event, then send."),
    "activate": ("Activate a rule", "Its page says first what it will do."),
}

_PERMISSIONS = {
    "source": "tracking.add_source",
    "event": "tracking.view_source",
    "recipe": "triggers.change_rule",
    "test": "triggers.change_template",
    "activate": "triggers.activate_rule",
}


def _find_entries(model: type[Model]) -> QuerySet[LogEntry]:
    """Return what people, not the platform, have done to rows of a model."""
    return LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(model))


def _make_step(key: str, is_done: bool, page: str) -> FirstStep:
    title, hint = _WORDS[key]
    return FirstStep(key=key, title=title, hint=hint, url=reverse(f"admin:{page}"), is_done=is_done)


def describe_steps(steps: list[FirstStep]) -> dict[str, Any]:
    """Return what the page's script needs to turn steps green."""
    return {step.key: step.is_done for step in steps}
