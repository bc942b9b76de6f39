"""The condition tree: a handful of frozen nodes, told apart in JSON by "node"."""

from enum import StrEnum
from typing import Literal, TypeAlias

from msgspec import Struct, field

Scalar: TypeAlias = bool | int | float | str
Value: TypeAlias = Scalar | tuple[Scalar, ...] | None


class OperatorName(StrEnum):
    """The stable names of the operators; what each means is its row in `operators.py`."""

    IS = "is"
    IS_NOT = "is_not"
    ONE_OF = "one_of"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    SET = "set"
    NOT_SET = "not_set"
    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    BETWEEN = "between"
    BEFORE = "before"
    AFTER = "after"
    WITHIN_LAST = "within_last"
    WITHIN_NEXT = "within_next"
    CONTAINS_ANY = "contains_any"
    CONTAINS_ALL = "contains_all"
    CONTAINS_NONE = "contains_none"


class Field(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a compared value is: a property of the event or an attribute of the person (`paths.py` has the syntax)."""

    scope: Literal["event", "profile"] = field(name="from")
    path: str


class All(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="node", tag="all"):
    """Every one of the conditions."""

    of: tuple["Node", ...]


class AnyOf(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="node", tag="any"):
    """At least one of the conditions."""

    of: tuple["Node", ...]


class Not(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="node", tag="not"):
    """The opposite of a condition; of what is unknown, still unknown."""

    of: "Node"


class Compare(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="node", tag="compare"):
    """One value of the event or the person, compared by an operator. `value` is absent for `set` and `not_set`."""

    field: Field
    operator: OperatorName
    value: Value = None


class Count(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="node", tag="count"):
    """How often the person did something before this event.

    `within` is in seconds up to the event's moment; null reaches back as far as events are kept.
    """

    event: str
    within: int | None = None
    operator: OperatorName
    value: int | tuple[int, ...]


class Never(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="node", tag="never"):
    """The person did not do something before this event; `within` as in Count."""

    event: str
    within: int | None = None


class FromSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="node", tag="source"):
    """The event came from this source, by its id; a silence comes from that of the last event before it."""

    source: int


Node: TypeAlias = All | AnyOf | Not | Compare | Count | Never | FromSource
