"""What was refused: read it, mend it, send it again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Max, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from unfold.contrib.filters.admin import FieldTextFilter
from unfold.widgets import UnfoldAdminTextareaWidget

from engagement.lib.pages import KeysetAdmin
from engagement.lib.say import moment_column
from tracking.event import ALIAS, IDENTIFY
from tracking.hooks.hold import DIALECT, send_again
from tracking.intake import open_intake
from tracking.log.append import AppendFailed
from tracking.models import Quarantined
from tracking.wire.request import WireError

_GROUPED_DAYS = 7
_FOREIGN = "A webhook's payload as JSON. Send it again once its mapping is mended: today's mapping is used."
_NOT_SHOWN = frozenset({"index", "is_import"})
_REFUSED = "It was refused again: {}"


class MendForm(forms.ModelForm):  # type: ignore[type-arg]
    """The payload as text that can be mended."""

    payload_text = forms.CharField(
        label="Payload",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 16, "spellcheck": "false", "class": "code"}),
        help_text="The event as JSON. Mend it and send it again: it is taken as if the source's server had sent it.",
    )

    class Meta:
        model = Quarantined
        fields = ("payload_text",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        is_foreign = self.instance.dialect == DIALECT
        self.fields["payload_text"].initial = write_payload(bytes(self.instance.payload), is_foreign)
        if is_foreign:
            self.fields["payload_text"].help_text = _FOREIGN

    def clean(self) -> dict[str, Any]:
        """Send it again: what the door refuses is an error of the form."""
        cleaned = super().clean() or {}
        text = cleaned.get("payload_text", "")
        body = self._keep_as_it_came(text) or text.encode("utf-8", "replace")
        try:
            receipt = send_again(self.instance, body, open_intake())
        except WireError as error:
            raise forms.ValidationError(_REFUSED.format(error.message)) from None
        except AppendFailed:
            raise forms.ValidationError("It could not be stored just now. Try again.") from None
        if receipt.outcome != "accepted":
            place = f" (at {receipt.field})" if receipt.field else ""
            raise forms.ValidationError(_REFUSED.format(f"{receipt.message}{place}"))
        return cleaned

    def _keep_as_it_came(self, text: str) -> bytes | None:
        """A foreign payload that nobody changed goes as its sender wrote it: its bytes may tell a retry."""
        field = self.fields["payload_text"]
        is_same = text.split() == str(field.initial).split()
        return bytes(self.instance.payload) if is_same and self.instance.dialect == DIALECT else None


def write_payload(payload: bytes, is_foreign: bool = False) -> str:
    """Return a payload as JSON to be mended; what is no JSON stays as it is.

    An item that was understood is kept in the platform's own shape: it is shown as its sender would have written it. A
    foreign one came by a webhook.
    """
    try:
        value = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return payload.decode("utf-8", "replace")
    if not is_foreign and isinstance(value, dict) and {"index", "name"} <= value.keys():
        value = _restore_item(value)
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _restore_item(item: dict[str, Any]) -> dict[str, Any]:
    name = item.pop("name")
    properties = item.pop("properties", None) or {}
    kept = {key: value for key, value in item.items() if key not in _NOT_SHOWN and value not in (None, {})}
    if name == IDENTIFY:
        return kept | {"traits": {}} | properties
    if name == ALIAS:
        return kept | properties
    return {"event": name} | kept | ({"properties": properties} if properties else {})


@admin.register(Quarantined)
class QuarantineAdmin(KeysetAdmin):
    """Refused items, newest first, with their reasons counted above."""

    form = MendForm
    keyset = ("id",)
    list_display = (
        "code",
        "message",
        "source",
        moment_column("received_at", "when"),
        moment_column("resent_at", "sent again"),
    )
    list_filter = (("code", FieldTextFilter),)
    list_select_related = ("source",)
    list_before_template = "admin/tracking/quarantine_reasons.html"
    change_form_template = "admin/tracking/quarantine_form.html"
    fields = (
        "source",
        "code",
        "field",
        "message",
        moment_column("received_at", "when"),
        moment_column("resent_at", "sent again"),
        "payload_text",
    )
    readonly_fields = fields[:-1]
    empty_title = "Nothing was refused"
    empty_hint = "An item that cannot be taken is kept here with its reason and its payload."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Quarantined]:
        """Read what a list shows; what is held may be a megabyte each."""
        rows: QuerySet[Quarantined] = super().get_queryset(request)
        return rows.defer("payload", "headers")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Mending is for whoever may change quarantined items."""
        return request.user.has_perm("tracking.change_quarantined")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What nobody needs may go."""
        return request.user.has_perm("tracking.delete_quarantined")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Count the reasons of the last days above the list."""
        return super().changelist_view(request, (extra_context or {}) | {"reasons": load_reasons()})

    def save_model(self, request: HttpRequest, obj: Quarantined, form: Any, change: bool) -> None:
        """Remember that it was sent; the form has done the sending."""
        obj.resent_at = datetime.now(UTC)
        obj.save(update_fields=["resent_at"])

    def response_change(self, request: HttpRequest, obj: Quarantined) -> HttpResponseRedirect:
        """Go back to the list."""
        messages.success(request, "Sent again, and accepted.")
        return HttpResponseRedirect(reverse("admin:tracking_quarantined_changelist"))


def load_reasons() -> list[dict[str, Any]]:
    """Return how often each reason came in the last days and is still open, the most frequent first."""
    since = datetime.now(UTC) - timedelta(days=_GROUPED_DAYS)
    rows = Quarantined.objects.filter(received_at__gte=since, resent_at__isnull=True)
    counted = rows.values("code", "source__name").annotate(number=Count("id"), latest=Max("received_at"))
    return [dict(row) for row in counted.order_by("-number")[:8]]
