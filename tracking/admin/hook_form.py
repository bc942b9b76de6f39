"""The form of a webhook: whose it is, and the parts of its mapping in fields of their own."""

import json
from collections.abc import Mapping as AnyMapping
from typing import Any

import msgspec
from django import forms
from unfold.widgets import (
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from tracking.hooks.known import read_secret
from tracking.hooks.secrets import find_fault
from tracking.models import Hook, Source
from tracking.wire.hooks.mapping import Mapping, MappingError, PropertyRow, compile_mapping
from tracking.wire.hooks.presets import Preset
from tracking.wire.hooks.signatures import STYLES

OTHERS = (("keep", "are taken under their own name"), ("ignore", "are ignored"))
_TEXTS = ("event", "user_id", "anonymous_id", "email", "message_id", "time", "only_when")
_FLAGS = ("email_as_user_id", "whole_body")
_TRUE = ("on", "true", "True")


def _place_field(label: str, help_text: str = "", placeholder: str = "$.") -> forms.CharField:
    attributes = {"data-place": "", "autocomplete": "off", "spellcheck": "false", "placeholder": placeholder}
    widget = UnfoldAdminTextInputWidget(attrs=attributes)
    return forms.CharField(label=label, required=False, max_length=300, widget=widget, help_text=help_text)


class PropertiesField(forms.CharField):
    """The rows of properties, as the page's script writes them."""

    def say_value(self, value: Any) -> str:
        """Return the rows in words."""
        try:
            rows = _read_rows(str(value or ""))
        except MappingUnread:
            return str(value)
        return ", ".join(f"{row.name} from {row.place}" for row in rows)


class HookForm(forms.ModelForm):  # type: ignore[type-arg]
    """A webhook. A place is a JSONPath such as $.customer.id, or a header such as header:X-GitHub-Event."""

    source = forms.ModelChoiceField(queryset=Source.objects.order_by("name"), widget=UnfoldAdminSelectWidget())
    style = forms.ChoiceField(
        label="How the sender proves itself",
        choices=[(style.name, style.title) for style in STYLES.values()],
        widget=UnfoldAdminSelectWidget(),
    )
    secret = forms.CharField(
        label="Secret",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="The one that the sender shows. Left empty, one is made: give it to the sender.",
    )
    event = _place_field("Name of the event", "A name such as checkout_left, or the place where it stands.", "")
    names = forms.CharField(
        label="Other names for what stands there",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "spellcheck": "false", "class": "code"}),
        help_text="One on each line: their name = our name. Such as checkouts/create = checkout_started.",
    )
    others = forms.ChoiceField(
        label="Names that are not in this table",
        choices=OTHERS,
        initial="keep",
        widget=UnfoldAdminRadioSelectWidget(),
    )
    only_when = _place_field("Only when", "A place: only payloads with one of the values below are events.")
    is_one_of = forms.CharField(
        label="is one of",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2, "spellcheck": "false", "class": "code"}),
        help_text="One value on each line, such as paid or true.",
    )
    user_id = _place_field("User id", "The id under which your app knows the person too.")
    email = _place_field("E-mail address", "Becomes what is known of the person: messages go there.")
    email_as_user_id = forms.BooleanField(
        label="Where there is no user id, the e-mail address is the user id",
        required=False,
        widget=UnfoldBooleanWidget(),
    )
    anonymous_id = _place_field("Anonymous id", "The visitor's id before they sign in, if the sender knows it.")
    properties = PropertiesField(required=False, widget=forms.HiddenInput())
    whole_body = forms.BooleanField(
        label="Every key of the payload is a property too", required=False, widget=UnfoldBooleanWidget()
    )
    message_id = _place_field(
        "Message id", "What is the same on each retry of the sender. Empty: the payload itself tells a retry."
    )
    time = _place_field("Time", "When it happened: ISO 8601 with a zone, or Unix seconds. Empty: when it arrives.")

    class Meta:
        model = Hook
        fields = ("source", "name", "style", "header", "is_enabled")
        widgets = {
            "name": UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
            "header": UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
            "is_enabled": UnfoldBooleanWidget(),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        instance = kwargs.get("instance")
        given = kwargs.get("initial") or {}
        own = write_fields(msgspec.convert(instance.mapping, Mapping)) if instance is not None else {}
        super().__init__(*args, **kwargs | {"initial": own | given})
        sources = list(Source.objects.values_list("pk", flat=True)[:2])
        if instance is None and len(sources) == 1:
            self.fields["source"].initial = sources[0]
        # Whoever may only look has no such field.
        if "header" in self.fields:
            self.fields["header"].label = "In which header"
            self.fields["header"].help_text = "Empty: the one that is usual for this."
        self.mapping_errors: list[MappingError] = []
        if instance is not None:
            del self.fields["secret"]

    def clean_header(self) -> str:
        """A header's name, as it stands in a request."""
        header = str(self.cleaned_data["header"]).strip().rstrip(":")
        if header and not (header.isascii() and header.replace("-", "").isalnum()):
            raise forms.ValidationError("A header's name has letters, digits and -, such as X-Signature.")
        return header

    def clean(self) -> dict[str, Any]:
        """Check the mapping as a whole; each error stands at the field, or row, that it concerns."""
        cleaned = super().clean() or {}
        self._check_secret(cleaned)
        try:
            mapping = read_mapping(self.data)
        except MappingUnread as error:
            self.add_error(error.field, str(error))
            return cleaned
        _, self.mapping_errors = compile_mapping(mapping)
        for wrong in self.mapping_errors:
            self.add_error(wrong.field.partition(".")[0], wrong.message)
        self.instance.mapping = msgspec.to_builtins(mapping)
        return cleaned

    def _check_secret(self, cleaned: dict[str, Any]) -> None:
        style = STYLES.get(cleaned.get("style", ""))
        is_stored = self.instance.pk is not None
        if style is None or (is_stored and "style" not in self.changed_data):
            return
        secret = read_secret(self.instance.secret) if is_stored else cleaned.get("secret")
        fault = find_fault(secret, style) if secret else ""
        if fault and is_stored:
            self.add_error("style", f"The secret that it has does not fit: {fault} Replace the secret before.")
        elif fault:
            self.add_error("secret", fault)


class MappingUnread(Exception):
    """A field cannot be read as part of a mapping; the message is a plain sentence."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def read_mapping(given: AnyMapping[str, Any]) -> Mapping:
    """Return what the form's fields say; raises MappingUnread."""
    texts = {name: str(given.get(name, "")).strip() for name in _TEXTS}
    flags = {name: given.get(name) in _TRUE for name in _FLAGS}
    is_one_of = [line.strip() for line in str(given.get("is_one_of", "")).splitlines() if line.strip()]
    return Mapping(
        **texts,  # type: ignore[arg-type]
        **flags,  # type: ignore[arg-type]
        names=_read_names(str(given.get("names", ""))),
        others="ignore" if given.get("others") == "ignore" else "keep",
        is_one_of=is_one_of,
        properties=_read_rows(str(given.get("properties", ""))),
    )


def _read_names(text: str) -> dict[str, str]:
    names = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        theirs, equals, ours = (part.strip() for part in line.rpartition("="))
        if not (theirs and equals and ours):
            raise MappingUnread("names", f"“{line[:60]}”: write their name, =, and our name.")
        names[theirs] = ours
    return names


def _read_rows(text: str) -> list[PropertyRow]:
    """The page's script writes them, so junk is not for a person to mend."""
    try:
        return msgspec.json.decode(text or "[]", type=list[PropertyRow])
    except msgspec.MsgspecError:
        raise MappingUnread("properties", "The rows could not be read. Reload the page.") from None


def write_fields(mapping: Mapping) -> dict[str, Any]:
    """Return a mapping as the form's fields show it."""
    fields = {name: getattr(mapping, name) for name in (*_TEXTS, *_FLAGS, "others")}
    return fields | {
        "names": "\n".join(f"{theirs} = {ours}" for theirs, ours in mapping.names.items()),
        "is_one_of": "\n".join(mapping.is_one_of),
        "properties": json.dumps(msgspec.to_builtins(mapping.properties)),
    }


def write_preset(preset: Preset) -> dict[str, Any]:
    """Return the fields of a new webhook of a well-known sender."""
    return {"style": preset.style, "header": preset.header} | write_fields(preset.mapping)
