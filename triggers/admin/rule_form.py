"""The form of a rule: no JSON for those who fill it in, the same JSON as everywhere for those who read it."""

import json
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from engagement.lib.duration_field import DurationInUnitsField
from triggers.admin.rule_parts import (
    KINDS,
    REENTRIES,
    check_rule,
    compose_definition,
    load_names,
    place_error,
    read_fields,
)
from triggers.admin.rule_words import say_conditions
from triggers.models import Rule, Template
from triggers.rules.definition import RuleDefinition
from triggers.rules.describe import describe_rule
from triggers.rules.errors import RuleError


def _event_field(label: str, help_text: str = "") -> forms.CharField:
    widget = UnfoldAdminTextInputWidget(attrs={"list": "rule-events", "autocomplete": "off"})
    return forms.CharField(label=label, required=False, max_length=200, widget=widget, help_text=help_text)


class ConditionsField(forms.CharField):
    """The tree of conditions, as the page's script writes it."""

    def say_value(self, value: Any) -> str:
        """Return the conditions in words; what is no tree stays as it is."""
        try:
            return say_conditions(json.loads(value or "null"))
        except ValueError:
            return str(value)


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    """Each part of a rule in a field of its own; the conditions as rows that the page's script writes as a tree."""

    kind = forms.ChoiceField(
        label="What starts it", choices=KINDS, initial="event", widget=UnfoldAdminRadioSelectWidget()
    )
    event = _event_field("Event", "The name under which the app reports it.")
    started_by = _event_field("Starts with", "Such as add_to_cart.")
    ended_by = _event_field("And is not followed by", "Such as purchase.")
    key = forms.CharField(
        label="For the same",
        required=False,
        max_length=500,
        widget=UnfoldAdminTextInputWidget(attrs={"list": "rule-properties", "autocomplete": "off"}),
        help_text="A property such as cart_id: each of its values is waited for by itself. Empty: one wait a person.",
    )
    quiet_event = _event_field("Quiet means no", "Empty: nothing at all. Or the name of one event that is missed.")
    after = DurationInUnitsField(label="After how long", required=False)
    emits = _event_field(
        "Name of the silence", "The event that the silence becomes on the timeline. Empty: the usual name."
    )
    conditions = ConditionsField(required=False, widget=forms.HiddenInput())
    template = forms.ModelChoiceField(
        label="Message",
        queryset=Template.objects.order_by("name"),
        required=False,
        empty_label="No message: only record who matched",
        widget=UnfoldAdminSelectWidget(),
    )
    reentry = forms.ChoiceField(
        label="How often", choices=REENTRIES, initial="always", widget=UnfoldAdminRadioSelectWidget()
    )
    reentry_after = DurationInUnitsField(label="Again after, at the earliest", required=False)
    stale_after = DurationInUnitsField(
        label="Makes no sense after",
        required=False,
        help_text="What has not left by then is dropped. Empty: 1 hour after an event, 1 day after a silence.",
    )
    send_if_came_back = forms.BooleanField(
        label="Send even when the person has come back meanwhile", required=False, widget=UnfoldBooleanWidget()
    )

    class Meta:
        model = Rule
        fields = ("name", "description")
        widgets = {
            "name": UnfoldAdminTextInputWidget(),
            "description": UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        instance = kwargs.get("instance")
        definition = instance.definition if instance is not None and instance.definition else None
        given = kwargs.get("initial") or {}
        own = read_fields(definition or given.pop("definition", None) or {})
        super().__init__(*args, **kwargs | {"initial": own | given})
        self.condition_errors: list[RuleError] = []
        self.parsed: RuleDefinition | None = None

    def clean_conditions(self) -> Any:
        """Return the tree; the script writes it, so junk is not for a person to mend."""
        try:
            return json.loads(self.cleaned_data["conditions"] or "null")
        except ValueError:
            raise forms.ValidationError("The conditions could not be read. Reload the page.") from None

    def clean(self) -> dict[str, Any]:
        """Check the rule as a whole; each error stands at the field, or row, that it concerns."""
        cleaned = super().clean() or {}
        if "kind" not in cleaned or self.errors.keys() - {"name"}:
            return cleaned
        self.instance.definition = compose_definition(cleaned)
        self.parsed, errors = check_rule(self.instance.definition)
        for error in errors:
            field = place_error(error, cleaned["kind"])
            if field == "conditions":
                self.condition_errors.append(error)
            self.add_error(field, error.message)
        return cleaned

    def describe(self) -> str:
        """Return the rule as a sentence; "" while it is not complete."""
        if self.parsed is None or self.errors.keys() - {"name"}:
            return ""
        return f"{describe_rule(self.parsed, load_names())} {self._describe_message()}"

    def _describe_message(self) -> str:
        template = self.cleaned_data.get("template")
        return f"Then “{template.name}” is sent." if template is not None else "No message is sent: it only records."

    def list_problems(self) -> list[str]:
        """Return what is still missing, in words."""
        return [str(message) for field, found in self.errors.items() if field != "name" for message in found]
