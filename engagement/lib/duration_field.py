"""A time span in a form: a number and its unit."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils.datastructures import MultiValueDict
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from engagement.lib.say import say_span

UNITS = ((86_400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))


class DurationInUnitsWidget(forms.MultiWidget):
    """A number beside a choice of units."""

    template_name = "office/duration.html"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        number = UnfoldAdminIntegerFieldWidget(attrs={"min": 0, "class": "duration-number"})
        unit = UnfoldAdminSelectWidget(choices=UNITS, attrs={"class": "duration-unit"})
        super().__init__({"number": number, "unit": unit}, attrs)

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Name the second part for those who hear the form."""
        context: dict[str, Any] = super().get_context(name, value, attrs)
        context["widget"]["subwidgets"][1]["attrs"]["aria-label"] = "Unit"
        return context

    def id_for_label(self, id_: str) -> str:
        """The label belongs to the number."""
        return f"{id_}_0" if id_ else ""

    def decompress(self, value: Any) -> list[Any]:
        """Return the number and the largest unit in which it is whole."""
        if value is None:
            return [None, 60]
        seconds = int(value.total_seconds())
        size = next((size for size, _ in UNITS if seconds and seconds % size == 0), 60)
        return [seconds // size, size]

    def value_omitted_from_data(self, data: Any, files: MultiValueDict[str, Any], name: str) -> bool:
        """The number decides; a unit is always sent."""
        return f"{name}_number" not in data


class DurationInUnitsField(forms.MultiValueField):
    """Reads a timedelta from a number and a unit; an empty number is None."""

    widget = DurationInUnitsWidget

    def __init__(self, **kwargs: Any) -> None:
        number = forms.IntegerField(min_value=0, max_value=1_000_000_000, required=False)
        unit = forms.TypedChoiceField(choices=UNITS, coerce=int)
        super().__init__(fields=(number, unit), require_all_fields=False, **kwargs)

    def compress(self, data_list: list[Any]) -> timedelta | None:
        """Return the span."""
        if not data_list or data_list[0] is None:
            return None
        return timedelta(seconds=data_list[0] * data_list[1])

    def say_value(self, value: Any) -> str:
        """Return a number and a unit, as the browser sends them, in words."""
        number, unit = (str(part or "").strip() for part in value)
        return (
            say_span(timedelta(seconds=int(number) * int(unit))) if number.isdecimal() and unit.isdecimal() else number
        )
