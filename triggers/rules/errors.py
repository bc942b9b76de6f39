"""What is wrong with a rule, in words for the person who writes it."""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct


class RuleErrorCode(StrEnum):
    """Stable codes: a form or an API client may tell errors apart by them."""

    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    WRONG_SHAPE = "wrong_shape"
    EMPTY_GROUP = "empty_group"
    INVALID_NAME = "invalid_name"
    INVALID_PATH = "invalid_path"
    INVALID_VALUE = "invalid_value"
    UNKNOWN_OPERATOR = "unknown_operator"
    WRONG_OPERATOR = "wrong_operator"
    NOT_POSITIVE = "not_positive"
    TOO_LONG = "too_long"
    FEEDS_ITSELF = "feeds_itself"


class RuleError(Struct, frozen=True, kw_only=True):
    """One error: a code, where it is (`$.conditions.of[0].value`) and a sentence that a marketer understands."""

    code: RuleErrorCode
    path: str
    message: str


class RuleInvalid(ValueError):
    """A rule that cannot be used; `errors` says all that is wrong with it."""

    def __init__(self, errors: Sequence[RuleError]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(f"{error.path}: {error.message}" for error in self.errors))
