"""The checks of names, paths and time spans that the parts of a rule share."""

from collections.abc import Iterator
from datetime import timedelta

from triggers.rules.errors import RuleError, RuleErrorCode
from triggers.rules.paths import EACH, PathInvalid, parse_path
from triggers.rules.shapes import MAX_DURATION, is_storable
from triggers.rules.wording import describe_duration

MAX_NAME = 200
MAX_PATH = 500


def check_span(seconds: int, path: str, reach: timedelta | None = None) -> Iterator[RuleError]:
    if seconds <= 0:
        yield make_error(RuleErrorCode.NOT_POSITIVE, path, "Enter a time span of at least one second.")
    elif seconds > MAX_DURATION:
        yield make_error(RuleErrorCode.TOO_LONG, path, "This time span is longer than 100 years.")
    elif reach is not None and timedelta(seconds=seconds) > reach:
        message = (
            f"This reaches back {describe_duration(seconds)}, but events are only reliable for "
            f"{describe_duration(int(reach.total_seconds()))}: how long they are kept, less how late they may arrive."
        )
        yield make_error(RuleErrorCode.TOO_LONG, path, message)


def check_name(name: str, path: str) -> Iterator[RuleError]:
    if not name.strip():
        yield make_error(RuleErrorCode.INVALID_NAME, path, "Choose an event.")
    elif len(name) > MAX_NAME:
        yield make_error(RuleErrorCode.INVALID_NAME, path, f"An event's name has at most {MAX_NAME} characters.")
    elif not is_storable(name):
        yield make_error(RuleErrorCode.INVALID_NAME, path, "This name contains a character that cannot be stored.")


def check_path(text: str, path: str, *, is_key: bool = False) -> Iterator[RuleError]:
    message = _find_path_error(text, is_key=is_key)
    if message:
        yield make_error(RuleErrorCode.INVALID_PATH, path, message)


def _find_path_error(text: str, *, is_key: bool) -> str | None:
    if len(text) > MAX_PATH:
        return f"A field's path has at most {MAX_PATH} characters."
    if not is_storable(text):
        return "This path contains a character that cannot be stored."
    try:
        steps = parse_path(text)
    except PathInvalid as error:
        return str(error)
    if is_key and EACH in steps:
        return "A wait is told apart by one value, not by a list: remove the []."
    return None


def make_error(code: RuleErrorCode, path: str, message: str) -> RuleError:
    return RuleError(code=code, path=path, message=message)
