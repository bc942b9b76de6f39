"""Stored rules, which an older or newer release may have written, or a hand in the database."""

from typing import Any

import msgspec

from triggers.rules.compile import CompiledRule, compile_rule
from triggers.rules.errors import RuleError, RuleErrorCode, RuleInvalid
from triggers.rules.parse import parse_definition


def compile_stored(definition: Any) -> CompiledRule:
    """Return a stored rule ready to be matched. Raises RuleInvalid, and nothing else, where that cannot be."""
    try:
        return compile_rule(parse_definition(msgspec.json.encode(definition)))
    except RuleInvalid:
        raise
    except Exception as error:
        message = f"The rule cannot be read: {type(error).__name__}: {error}"
        raise RuleInvalid([RuleError(code=RuleErrorCode.MALFORMED, path="$", message=message)]) from error
