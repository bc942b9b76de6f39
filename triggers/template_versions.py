"""Editing templates: each change is a new, immutable version."""

from django.db import transaction

from triggers.models import MissingVariable, Template, TemplateVersion

_FIELDS = ("subject", "html", "text", "on_missing")


def save_template(
    template: Template, *, subject: str, html: str, text: str, on_missing: str = MissingVariable.DROP
) -> TemplateVersion:
    """Store words as the newest version; the version that stands is returned where nothing changed."""
    words = {"subject": subject, "html": html, "text": text, "on_missing": on_missing}
    with transaction.atomic():
        Template.objects.select_for_update().get(pk=template.pk)
        newest = template.versions.order_by("-number").first()
        if newest is not None and all(getattr(newest, name) == words[name] for name in _FIELDS):
            return newest
        number = newest.number + 1 if newest is not None else 1
        return TemplateVersion.objects.create(template=template, number=number, **words)
