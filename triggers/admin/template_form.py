"""The form of a template: its name and the words of its newest version."""

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from triggers.admin.vocabulary import load_known_names
from triggers.models import MissingVariable, Template, TemplateVersion
from triggers.render.liquid import TemplateProblem, Words, check_template

_CODE = {"rows": 16, "spellcheck": "false", "class": "code"}


class TemplateForm(forms.ModelForm):  # type: ignore[type-arg]
    """Words in Liquid; what cannot be read is an error, what is only suspicious is told after saving."""

    subject = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Liquid works here too: Hello {{ user.first_name | default: “there” }}".replace("“", '"').replace(
            "”", '"'
        ),
    )
    html = forms.CharField(
        label="HTML",
        required=False,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs=_CODE),
        help_text="Variables: user (the person's attributes), event (its properties), source. Values are escaped.",
    )
    text = forms.CharField(
        required=False,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs=_CODE | {"rows": 6}),
        help_text="Made from the HTML when left empty.",
    )
    on_missing = forms.ChoiceField(
        label="When a variable has no value and no default",
        choices=MissingVariable.choices,
        initial=MissingVariable.DROP,
        widget=UnfoldAdminRadioSelectWidget(),
    )

    class Meta:
        model = Template
        fields = ("name",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.suspicions: list[TemplateProblem] = []
        newest = load_newest(self.instance)
        for name in ("subject", "html", "text", "on_missing") if newest is not None else ():
            self.fields[name].initial = getattr(newest, name)

    def clean(self) -> dict[str, Any]:
        """Check the words: errors stand at their part."""
        cleaned = super().clean() or {}
        problems = check_template(read_words(cleaned), load_known_names())
        for problem in problems:
            if not problem.is_error:
                self.suspicions.append(problem)
            elif problem.part not in self.errors:
                place = f" (line {problem.line})" if problem.line else ""
                self.add_error(problem.part, f"{problem.message}{place}")
        return cleaned


def read_words(values: dict[str, Any]) -> Words:
    """Return what a form says as words to be filled in."""
    return Words(
        subject=values.get("subject", ""),
        html=values.get("html", ""),
        text=values.get("text", ""),
        allows_empty=values.get("on_missing") == MissingVariable.EMPTY,
    )


def load_newest(template: Template) -> TemplateVersion | None:
    """Return the version that is sent."""
    return template.versions.order_by("-number").first() if template.pk else None
