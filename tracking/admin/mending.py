"""The form in which a quarantined item is mended and sent again."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from django import forms
from django.db import transaction
from unfold.widgets import UnfoldAdminTextareaWidget

from engagement.lib.say import mark_names
from tracking.again import check_row, keep_marks, read_item
from tracking.event import ALIAS, IDENTIFY, Rejection
from tracking.hooks.hold import DIALECT, find_rejection, send_again
from tracking.intake import Intake, open_intake
from tracking.log.append import AppendFailed, Stored
from tracking.models import Quarantined
from tracking.quarantine import forget_counts
from tracking.wire.dialects import DIALECTS
from tracking.wire.native import NATIVE
from tracking.wire.request import WireError

_FOREIGN = "A webhook's payload as JSON. Send it again once its mapping is mended: today's mapping is used."
_NOT_SHOWN = frozenset({"index", "is_import"})
_REFUSED = "It was refused again: {}"
_AS_SERVER = "Mend it and send it again: it is taken as if the source's server had sent it."
_AS_IT_CAME = (
    "Mend it and send it on: it keeps its moment and its message id, and is trusted no more than when it came."
)


class MendForm(forms.ModelForm):  # type: ignore[type-arg]
    """The payload as text that can be mended."""

    payload_text = forms.CharField(
        label="Mend it here",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 16, "spellcheck": "false", "class": "code"}),
        help_text=_AS_SERVER,
    )

    class Meta:
        model = Quarantined
        fields = ("payload_text",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        is_foreign = self.instance.dialect == DIALECT
        field = self.fields["payload_text"]
        field.initial = write_payload(self.instance)
        field.help_text = _FOREIGN if is_foreign else _AS_IT_CAME if self.instance.is_held else _AS_SERVER

    def clean(self) -> dict[str, Any]:
        """Send it again: what the door refuses is an error of the form."""
        cleaned = super().clean() or {}
        text = cleaned.get("payload_text", "")
        body = self._keep_as_it_came(text) or text.encode("utf-8", "replace")
        try:
            problem = send_mended(self.instance, body, open_intake())
        except WireError as error:
            raise forms.ValidationError(mark_names(_REFUSED.format(error.message))) from None
        except AppendFailed:
            raise forms.ValidationError("It could not be stored just now. Try again.") from None
        if problem is not None:
            place = f" (at {problem.field})" if problem.field else ""
            raise forms.ValidationError(mark_names(_REFUSED.format(f"{problem.message}{place}")))
        forget_counts()
        return cleaned

    def _keep_as_it_came(self, text: str) -> bytes | None:
        """A foreign payload that nobody changed goes as its sender wrote it: its bytes may tell a retry."""
        field = self.fields["payload_text"]
        is_same = text.split() == str(field.initial).split()
        return bytes(self.instance.payload) if is_same and self.instance.dialect == DIALECT else None


def send_mended(row: Quarantined, body: bytes, intake: Intake) -> Rejection | None:
    """Send an item again in the words of a person; return why it is not taken, None when it is in the log.

    It keeps its moment and its message id, and what is held its trust; what was refused is trusted as the source's
    server is. Of two who send it at once the second is told so. Raises WireError where it is not JSON, AppendFailed.
    """
    with transaction.atomic():
        row = Quarantined.objects.select_for_update(of=("self",)).select_related("hook__source").get(pk=row.pk)
        if row.resent_at is not None:
            return Rejection(index=0, code="sent_already", message="It was sent again meanwhile, and is in the log.")
        problem = _send(row, body, intake)
        if problem is None:
            Quarantined.objects.filter(pk=row.pk).update(resent_at=datetime.now(UTC))
    return problem


def _send(row: Quarantined, body: bytes, intake: Intake) -> Rejection | None:
    if row.dialect == DIALECT:
        return find_rejection(send_again(row, body, intake))
    if row.is_held:
        checked = check_row(row, intake, keep_marks(NATIVE.parse_item(body), read_item(row)))
    else:
        checked = check_row(row, intake, DIALECTS[row.dialect].parse_item(body), as_server=True)
    if isinstance(checked, Rejection):
        return checked
    outcome = intake.appender.append([checked])[0]
    return None if isinstance(outcome, Stored) else Rejection(index=0, code="unstorable", message=outcome.message)


def write_payload(row: Quarantined) -> str:
    """Return a payload as JSON to be mended; what is no JSON stays as it is.

    An item that was understood, which only then has a name, is kept in the platform's own shape: it is shown as its
    sender would have written it.
    """
    payload = bytes(row.payload)
    try:
        value = msgspec.json.decode(payload)
        shown = _restore_item(value) if row.event_name else value
        return msgspec.json.format(msgspec.json.encode(shown), indent=2).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return payload.decode("utf-8", "replace")


def _restore_item(item: dict[str, Any]) -> dict[str, Any]:
    name = item.pop("name")
    properties = item.pop("properties", None) or {}
    kept = {key: value for key, value in item.items() if key not in _NOT_SHOWN and value not in (None, {})}
    if name == IDENTIFY:
        return kept | {"traits": {}} | properties
    if name == ALIAS:
        return kept | properties
    return {"event": name} | kept | ({"properties": properties} if properties else {})
