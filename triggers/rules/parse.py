"""Rules from and to JSON. Parsing settles the shape; whether a rule is fit for use is `check.py`'s question."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from triggers.rules.definition import RuleDefinition
from triggers.rules.errors import RuleError, RuleErrorCode, RuleInvalid
from triggers.rules.nodes import OperatorName

MAX_BYTES = 64 * 1024

_decoder = msgspec.json.Decoder(RuleDefinition)
_encoder = msgspec.json.Encoder(order="deterministic")
_PLACE = re.compile(r" - at `(?P<path>[^`]*)`$")
_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "yes or no",
    "str": "a text",
    "array": "a list",
    "object": "an object",
    "null": "nothing",
}


def parse_definition(raw: bytes | Mapping[str, Any]) -> RuleDefinition:
    """Return the rule that JSON text or decoded JSON describes. Raises RuleInvalid with the first error found."""
    try:
        if isinstance(raw, bytes):
            if len(raw) > MAX_BYTES:
                raise _invalid(RuleErrorCode.TOO_LARGE, "$", f"A rule has at most {MAX_BYTES // 1024} KB of JSON.")
            return _decoder.decode(raw)
        return msgspec.convert(raw, RuleDefinition)
    except msgspec.ValidationError as error:
        raise _invalid_shape(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _invalid(RuleErrorCode.MALFORMED, "$", "This is not JSON.") from None
    except RecursionError:
        raise _invalid(RuleErrorCode.TOO_DEEP, "$", "The conditions lie too deep in each other.") from None


def dump_definition(definition: RuleDefinition) -> bytes:
    """Return a rule as JSON; equal rules give equal bytes, and parsing them gives the rule again."""
    return _encoder.encode(definition)


def _invalid_shape(text: str) -> RuleInvalid:
    place = _PLACE.search(text)
    path = place["path"] if place else "$"
    problem = text[: place.start()] if place else text
    if path.endswith(".operator"):
        known = ", ".join(OperatorName)
        return _invalid(RuleErrorCode.UNKNOWN_OPERATOR, path, f"There is no such comparison. There are: {known}.")
    return _invalid(RuleErrorCode.WRONG_SHAPE, path, _say(problem))


def _say(problem: str) -> str:
    """Turn a decoder's message into a sentence."""
    if match := re.fullmatch(r"Expected `([^`]+)`(?: of length [^,]+)?, got `([^`]+)`", problem):
        expected = " or ".join(_TYPES.get(kind, kind) for kind in match[1].split(" | "))
        return f"This should be {expected}, but it is {_TYPES.get(match[2], match[2])}."
    if match := re.fullmatch(r"Object missing required field `([^`]+)`", problem):
        return f"The part “{match[1]}” is missing."
    if match := re.fullmatch(r"Object contains unknown field `([^`]+)`", problem):
        return f"There is no part called “{match[1]}” here."
    if match := re.fullmatch(r"Invalid (?:enum )?value (.+)", problem):
        return f"{match[1]} is not one of the choices here."
    return f"{problem}."


def _invalid(code: RuleErrorCode, path: str, message: str) -> RuleInvalid:
    return RuleInvalid([RuleError(code=code, path=path, message=message)])
