"""Stored rules, which an older or newer release may have written, or a hand in the database."""

from datetime import timedelta
from typing import Any

import msgspec

from triggers.rules.check import check_definition
from triggers.rules.compile import CompiledRule, compile_rule
from triggers.rules.errors import RuleError, RuleErrorCode, RuleInvalid
from triggers.rules.parse import parse_definition

_SPANS = (RuleErrorCode.NOT_POSITIVE, RuleErrorCode.TOO_LONG)


def compile_stored(definition: Any) -> CompiledRule:
    """Return a stored rule ready to be matched. Raises RuleInvalid, and nothing else, where that cannot be."""
    try:
        parsed = parse_definition(msgspec.json.encode(definition))
        compiled = compile_rule(parsed)
        # A span that no moment can be counted with would end every pass. Other checks are for the editor: a release
        # that asks for more must not stop a rule.
        if wrong := [error for error in check_definition(parsed, timedelta.max, timedelta(0)) if error.code in _SPANS]:
            raise RuleInvalid(wrong)
        return compiled
    except RuleInvalid:
        raise
    except Exception as error:
        message = f"The rule cannot be read: {type(error).__name__}: {error}"
        raise RuleInvalid([RuleError(code=RuleErrorCode.MALFORMED, path="$", message=message)]) from error
