"""The forms of destinations: what each kind needs, what is copied, and secrets that are taken and never shown."""

from collections.abc import Iterable
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec
from django import forms
from django.conf import settings
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from engagement.lib.http import find_problem
from engagement.lib.seal import SealBroken
from tracking.models import EventType
from triggers.forward.kinds import KINDS, read_kind
from triggers.forward.kinds.webhook import MOST_IN_REQUEST, make_secret
from triggers.forward.secrets import read_secrets, write_secrets
from triggers.models import Chosen, Destination, DestinationKind, Rule

_SHOWN_NAMES = 200
_PORTS = {"https": 443, "http": 80}
_EVENTS = ((Chosen.ALL, "All events"), (Chosen.SOME, "Only these"), (Chosen.NONE, "No events"))
_ACTIVATIONS = (
    (Chosen.NONE, "No activations"),
    (Chosen.ALL, "Those of all rules"),
    (Chosen.SOME, "Only those of these rules"),
)
COPIED = ("events", "event_names", "other_names", "activations", "rule_ids", "traits")


def _text(label: str, help_text: str = "", *, required: bool = True, initial: str = "") -> forms.CharField:
    widget = UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"})
    return forms.CharField(
        label=label, help_text=help_text, required=required, initial=initial, max_length=500, widget=widget
    )


def _secret(label: str, help_text: str = "", *, required: bool = True) -> forms.CharField:
    widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
    return forms.CharField(label=label, help_text=help_text, required=required, max_length=500, widget=widget)


class DestinationForm(forms.ModelForm):  # type: ignore[type-arg]
    """What all kinds share. A kind adds its fields and names those that are settings.

    `tells_secrets`: a request holds the secrets, so they go to no other host than that for which they were entered.
    """

    kind: DestinationKind
    setting_names: tuple[str, ...] = ()
    address_names: tuple[str, ...] = ("endpoint",)
    tells_secrets = True

    events = forms.ChoiceField(
        label="Events", choices=_EVENTS, initial=Chosen.ALL, widget=UnfoldAdminRadioSelectWidget()
    )
    event_names = forms.MultipleChoiceField(
        label="These events", required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget()
    )
    other_names = forms.CharField(
        label="And these",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="Names that no app has sent yet, with commas between them.",
    )
    activations = forms.ChoiceField(
        label="Activations",
        choices=_ACTIVATIONS,
        initial=Chosen.NONE,
        widget=UnfoldAdminRadioSelectWidget(),
        help_text="Whom a rule matched, and because of what.",
    )
    rule_ids = forms.TypedMultipleChoiceField(
        label="These rules", required=False, coerce=int, widget=UnfoldAdminCheckboxSelectMultipleWidget()
    )
    traits = forms.CharField(
        label="What is known of people",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Names such as plan, country: these, and nothing else that is known of a person, are sent when an "
        "app tells them. Empty: only the user id leaves. Google forbids e-mail addresses and telephone numbers.",
    )

    class Meta:
        model = Destination
        fields = ("name", "events", "event_names", "activations", "rule_ids", "traits")
        widgets = {"name": UnfoldAdminTextInputWidget()}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.new_secret = ""
        self.stored_secrets = self._read_stored()
        for name in self.setting_names:
            self.initial.setdefault(name, self.instance.settings.get(name, self.fields[name].initial))
        for name in self.secret_names:
            if self.stored_secrets.get(name):
                self.fields[name].help_text = "It is set. Leave this empty to keep it."
                self.fields[name].required = False
        self.initial["traits"] = ", ".join(self.instance.traits)
        self._offer_choices()

    def clean_traits(self) -> list[str]:
        """Return the names."""
        return _split(self.cleaned_data["traits"])

    def clean(self) -> dict[str, Any]:
        """Check each address, and all that a kind needs together."""
        cleaned = super().clean() or {}
        cleaned["event_names"] = [*cleaned.get("event_names", ()), *_split(cleaned.get("other_names", ""))]
        if cleaned.get("events") == Chosen.SOME and not cleaned["event_names"]:
            self.add_error("event_names", "Choose at least one event.")
        if cleaned.get("activations") == Chosen.SOME and not cleaned.get("rule_ids"):
            self.add_error("rule_ids", "Choose at least one rule.")
        for name in self.address_names:
            problem = _find_address_problem(cleaned.get(name) or "")
            if problem and name not in self.errors:
                self.add_error(name, problem)
        self._ask_again_for_secrets(cleaned)
        self._secrets = self._clean_secrets(cleaned)
        if not self.errors:
            self._check_together(cleaned)
        return cleaned

    def save(self, commit: bool = True) -> Any:
        """Put settings and secrets into the destination."""
        self.instance.kind = self.kind.value
        self.instance.settings = self._read_settings(self.cleaned_data)
        write_secrets(self.instance, self._secrets)
        return super().save(commit)

    @property
    def secret_names(self) -> tuple[str, ...]:
        """The fields that are secrets of the kind."""
        return KINDS[self.kind.value].SECRETS

    def _ask_again_for_secrets(self, cleaned: dict[str, Any]) -> None:
        """Keep no secret that was left empty for a host to which it was not given."""
        former = [self.instance.settings.get(name) or self.fields[name].initial or "" for name in self.address_names]
        if not self.tells_secrets or _list_origins(former) == _list_origins(cleaned.get(n) for n in self.address_names):
            return
        for name in self.secret_names:
            if self.stored_secrets.get(name) and not cleaned.get(name) and name not in self.errors:
                self.add_error(name, "The address leads to another host: enter this again for it.")

    def _clean_secrets(self, cleaned: dict[str, Any]) -> dict[str, str]:
        """Return what was entered, and what was there before for that which was left empty."""
        return {name: cleaned.get(name) or self.stored_secrets.get(name, "") for name in self.secret_names}

    def _check_together(self, cleaned: dict[str, Any]) -> None:
        try:
            read_kind(self.kind.value, self._read_settings(cleaned) | self._secrets)
        except msgspec.ValidationError as error:
            self.add_error(None, f"This does not fit together: {error}")

    def _read_settings(self, cleaned: dict[str, Any]) -> dict[str, Any]:
        return {name: cleaned[name] for name in self.setting_names if cleaned.get(name) not in (None, "")}

    def _read_stored(self) -> dict[str, Any]:
        """A secret that cannot be read any more has to be entered again."""
        try:
            return read_secrets(self.instance)
        except SealBroken:
            return {}

    def _offer_choices(self) -> None:
        known = EventType.objects.exclude(name__startswith="$").order_by("name").values_list("name", flat=True)
        names = list(dict.fromkeys([*known[:_SHOWN_NAMES], *self.instance.event_names]))
        rules = Rule.objects.order_by("name").values_list("pk", "name")
        cast(forms.MultipleChoiceField, self.fields["event_names"]).choices = [(name, name) for name in names]
        cast(forms.MultipleChoiceField, self.fields["rule_ids"]).choices = list(rules)


class WebhookForm(DestinationForm):
    """A server of one's own."""

    kind = DestinationKind.WEBHOOK
    setting_names = ("url", "per_request")
    address_names = ("url",)
    tells_secrets = False

    url = _text("Address", "Where each copy is posted to, such as https://example.com/hook")
    signing_secret = _secret(
        "Signing secret",
        "Begins with whsec_. Empty: a new one is made and shown once, for the server that receives.",
        required=False,
    )
    makes_secret = forms.BooleanField(
        label="Make a new signing secret",
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text="It is shown once, and signs everything from then on.",
    )
    per_request = forms.IntegerField(
        label="Copies in one request",
        min_value=1,
        max_value=MOST_IN_REQUEST,
        initial=1,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=f"1: each copy is a message of its own. Up to {MOST_IN_REQUEST} make a busy destination keep up.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            del self.fields["makes_secret"]

    def _clean_secrets(self, cleaned: dict[str, Any]) -> dict[str, str]:
        secrets = super()._clean_secrets(cleaned)
        if not secrets["signing_secret"] or cleaned.get("makes_secret"):
            self.new_secret = secrets["signing_secret"] = make_secret()
        return secrets


class GoogleForm(DestinationForm):
    """A web stream of Google Analytics 4."""

    kind = DestinationKind.GA4
    setting_names = ("measurement_id", "endpoint")

    measurement_id = _text("Measurement ID", "In Google Analytics: Admin → Data streams, such as G-ABC123.")
    api_secret = _secret("API secret", "In the same place: Measurement Protocol API secrets → Create.")
    endpoint = _text(
        "Google's address",
        "https://region1.google-analytics.com collects in the European Union.",
        initial="https://www.google-analytics.com",
    )


class MixpanelForm(DestinationForm):
    """A project of Mixpanel."""

    kind = DestinationKind.MIXPANEL
    setting_names = ("project_id", "endpoint")

    project_token = _secret("Project token", "In Mixpanel: Settings → Project Settings → Access Keys.")
    api_secret = _secret("API secret", "Only where the token alone does not sign in to your project.", required=False)
    project_id = forms.RegexField(
        label="Project ID",
        regex=r"^\d{1,20}$",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="A number. Not needed with a token.",
    )
    endpoint = _text(
        "Mixpanel's address",
        "Residency in the EU: https://api-eu.mixpanel.com, in India: https://api-in.mixpanel.com",
        initial="https://api.mixpanel.com",
    )


FORMS: dict[str, type[DestinationForm]] = {form.kind.value: form for form in (WebhookForm, GoogleForm, MixpanelForm)}


def _split(text: str) -> list[str]:
    parts = (part.strip() for part in text.replace("\n", ",").split(","))
    return list(dict.fromkeys(part for part in parts if part))


def _list_origins(addresses: Iterable[str | None]) -> list[tuple[str, str | None, int | None]]:
    """Return scheme, host and port of each; what cannot be read is none that was there before."""
    try:
        parts = [urlsplit(address or "") for address in addresses]
        return [(part.scheme, part.hostname, part.port or _PORTS.get(part.scheme)) for part in parts]
    except ValueError:
        return []


def _find_address_problem(url: str) -> str:
    problem = find_problem(url)
    if not problem and url.lower().startswith("http:") and not settings.OUTBOUND_ALLOWED_NETWORKS:
        return "Use https:// so that nobody on the way reads what is sent."
    return problem
