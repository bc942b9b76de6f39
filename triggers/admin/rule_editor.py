"""What the rule form's script must know: operators, names that were seen, which fields belong to which start."""

from typing import Any

from django.urls import reverse

from tracking.models import Source
from triggers.admin.rule_parts import KIND_FIELDS
from triggers.admin.vocabulary import load_vocabulary
from triggers.rules import kinds, shapes
from triggers.rules.kinds import Kind
from triggers.rules.operators import COUNT_OPERATORS, OPERATORS, Operator, fill_template
from triggers.rules.shapes import Shape

_SHAPES: tuple[tuple[Shape, str], ...] = (
    (shapes.TEXT, "text"),
    (shapes.SCALAR, "text"),
    (shapes.ANY_OF, "list"),
    (shapes.ALL_OF, "list"),
    (shapes.NUMBER, "number"),
    (shapes.RANGE, "range"),
    (shapes.MOMENT, "moment"),
    (shapes.DURATION, "duration"),
    (shapes.NOTHING, "nothing"),
)
_GROUPS: tuple[tuple[Kind | None, str], ...] = (
    (kinds.SCALAR, "Value"),
    (None, "Value"),
    (kinds.TEXT, "Text"),
    (kinds.NUMBER, "Number"),
    (kinds.MOMENT, "Date"),
    (kinds.ITEMS, "List"),
)


def describe_editor() -> dict[str, Any]:
    """Return the context of the rule form's page."""
    return {
        "editor": {
            "operators": [_describe_operator(row) for row in OPERATORS.values()],
            "kind_fields": KIND_FIELDS,
            "vocabulary": load_vocabulary(),
            "sources": list(Source.objects.order_by("name").values_list("pk", "name")),
            "values_url": reverse("admin:triggers_rule_values"),
        }
    }


def _describe_operator(row: Operator) -> dict[str, Any]:
    return {
        "name": row.name.value,
        "words": fill_template(row.english, c="").strip(),
        "shape": next(name for shape, name in _SHAPES if shape is row.shape),
        "group": next(name for kind, name in _GROUPS if kind is row.kind),
        "counts": row.name in COUNT_OPERATORS,
    }
