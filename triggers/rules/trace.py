"""The record of a decision: what an activation keeps and "why?" shows."""

from enum import StrEnum
from typing import Any

from msgspec import Struct


class Outcome(StrEnum):
    """What became of a condition."""

    MATCHED = "matched"
    NOT_MATCHED = "not_matched"
    UNKNOWN = "unknown"


class UnknownReason(StrEnum):
    """Why a condition is unknown."""

    MISSING = "missing"
    WRONG_KIND = "wrong_kind"
    NO_LIST = "no_list"
    PENDING = "pending"
    PARTS = "parts"


class Trace(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One condition as it was decided; of a group or an opposite, with its parts in `of`.

    `actual` is the value found, as JSON: of an "any item of" path the list of the items' values, of a count the count.
    `reason` and `because` say why an unknown condition is unknown, as a code and as a clause for "because …".
    """

    sentence: str
    outcome: Outcome
    actual: Any = None
    reason: UnknownReason | None = None
    because: str = ""
    of: tuple["Trace", ...] = ()
