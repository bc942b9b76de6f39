"""From a JSON Schema as somebody wrote it to a validator that is safe to run on whatever arrives. Pure.

A schema describes the `properties` of an event, as JSON Schema 2020-12. Nothing is fetched: a `$ref` leads to a place
in the same schema. Patterns run on an engine without backtracking. What a check may cost is bounded beforehand.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
import msgspec

from tracking.schema.cost import cut_branches, weigh_schema
from tracking.schema.paths import find_part, read_reference

MAX_CHECKS = 1_000_000
"""Checks of one event: as many as it holds values, times the most that one value takes. About 10 ms."""
MAX_TEXT = 64 * 1024
MAX_DEPTH = 24
MAX_DEPTH_WRITTEN_OUT = 128
"""The same with every `$ref` written out: whoever reads a schema follows it that deep."""
MAX_PARTS = 1_000
"""Parts of a schema with every `$ref` written out, so that a few lines cannot stand for millions."""
_MOST_DIGITS = 300

_REFUSED_WORDS = {
    "$dynamicRef": "`$dynamicRef` is not supported: use `$ref` to a place in this schema.",
    "$recursiveRef": "`$recursiveRef` is not supported: use `$ref` to a place in this schema.",
    "$id": "`$id` is not supported: a schema stands for itself here.",
}
_OTHER_DRAFTS = "Schemas are read as JSON Schema 2020-12: leave `$schema` out, or name that draft."
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
# An engine that needs time in proportion to the text, with a bound on what a pattern may grow to.
_PATTERNS = jsonschema_rs.RegexOptions(size_limit=256 * 1024, dfa_size_limit=1024 * 1024)


class SchemaInvalid(Exception):
    """A schema cannot be used: `path` is the place inside it ("$" for the whole), the message says why."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


class CompiledSchema:
    """A checked schema, ready to check events; both methods raise UnicodeEncodeError for half of a surrogate pair."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._validator = _make_validator(schema)
        self._explainer = _make_validator(cut_branches(schema))
        self.max_values = MAX_CHECKS // max(weigh_schema(schema), 1)
        """How many values an event may hold so that checking it stays cheap."""

    def is_valid(self, properties: dict[str, Any]) -> bool:
        """Say whether properties fit."""
        return self._validator.is_valid(properties)

    def find_error(self, properties: dict[str, Any]) -> jsonschema_rs.ValidationError | None:
        """Return the first error, without looking for others."""
        try:
            self._explainer.validate(properties)
        except jsonschema_rs.ValidationError as error:
            return error
        return None


def parse_schema(text: str) -> dict[str, Any]:
    """Return a schema that is sound and within the bounds; raises SchemaInvalid."""
    if len(text) > MAX_TEXT:
        raise SchemaInvalid("$", f"A schema holds at most {MAX_TEXT:,} characters; this one holds {len(text):,}.")
    try:
        schema = json.loads(text, parse_constant=_refuse_constant, parse_int=_read_int, parse_float=_read_float)
    except json.JSONDecodeError as error:
        raise SchemaInvalid("$", f"This is not JSON: {error.msg} in line {error.lineno}.") from None
    except RecursionError:
        raise SchemaInvalid("$", f"A schema may be nested {MAX_DEPTH} deep.") from None
    if not isinstance(schema, dict):
        raise SchemaInvalid("$", 'A schema is a JSON object, such as {"type": "object"}.')
    check_schema(schema)
    return schema


def _refuse_constant(name: str) -> None:
    raise SchemaInvalid("$", f"{name} is no number in JSON.")


def _read_int(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise SchemaInvalid("$", f"{text[:20]}… is too long a number.")
    return int(text)


def _read_float(text: str) -> float:
    """Return a number; what is too great for one would be none in the JSON that apps' developers get."""
    number = float(text)
    if math.isinf(number):
        raise SchemaInvalid("$", f"{text[:20]} is too great a number.")
    return number


def check_schema(schema: dict[str, Any]) -> None:
    """Raise SchemaInvalid for a schema that is not sound, refers to elsewhere, or costs too much to check."""
    for path, part in _walk(schema, "$", 1):
        _check_part(schema, path, part)
    _count_parts(schema, schema, (), 1)
    compile_schema(schema)


def compile_schema(schema: dict[str, Any]) -> CompiledSchema:
    """Compile a schema whose references and parts were checked; raises SchemaInvalid for what the library refuses."""
    return CompiledSchema(schema)


def _make_validator(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    try:
        return jsonschema_rs.Draft202012Validator(
            schema, validate_formats=True, ignore_unknown_formats=False, offline=True, pattern_options=_PATTERNS
        )
    except jsonschema_rs.ValidationError as error:
        steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
        raise SchemaInvalid(f"${steps}", _describe(error)) from None
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        raise SchemaInvalid("$", f"The schema cannot be used: {str(error).splitlines()[0]}") from None


def _walk(value: Any, path: str, depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
    if depth > MAX_DEPTH:
        raise SchemaInvalid(path, f"A schema may be nested {MAX_DEPTH} deep.")
    if isinstance(value, dict):
        yield path, value
        for name, child in value.items():
            yield from _walk(child, f"{path}.{name}", depth + 1)
    elif isinstance(value, list):
        for place, child in enumerate(value):
            yield from _walk(child, f"{path}[{place}]", depth + 1)


def _check_part(schema: dict[str, Any], path: str, part: Mapping[str, Any]) -> None:
    for word, message in _REFUSED_WORDS.items():
        # A property may have any name: only where the word stands for itself it has a text.
        if isinstance(part.get(word), str):
            raise SchemaInvalid(f"{path}.{word}", message)
    if isinstance(part.get("$schema"), str) and part["$schema"].rstrip("#") != _DRAFT:
        raise SchemaInvalid(f"{path}.$schema", _OTHER_DRAFTS)
    reference = part.get("$ref")
    if isinstance(reference, str):
        _resolve(schema, reference, f"{path}.$ref")


def _resolve(schema: Any, reference: str, path: str) -> Any:
    """Return what a local reference leads to."""
    if reference != "#" and not reference.startswith("#/"):
        raise SchemaInvalid(path, "A `$ref` may only lead to a place in this schema, such as `#/$defs/price`.")
    try:
        return find_part(schema, read_reference(reference))
    except LookupError:
        raise SchemaInvalid(path, f"There is nothing at `{reference}` in this schema.") from None


def _count_parts(schema: Any, part: Any, trail: tuple[str, ...], depth: int, so_far: int = 0) -> int:
    """Return how many parts there are with every reference written out."""
    if depth > MAX_DEPTH_WRITTEN_OUT:
        message = f"A schema may be {MAX_DEPTH_WRITTEN_OUT} deep, each `$ref` counted as what it leads to."
        raise SchemaInvalid("$", message)
    if so_far > MAX_PARTS:
        raise SchemaInvalid("$", f"A schema has at most {MAX_PARTS:,} parts, each `$ref` counted as what it leads to.")
    if isinstance(part, list):
        for child in part:
            so_far = _count_parts(schema, child, trail, depth + 1, so_far)
        return so_far
    if not isinstance(part, dict):
        return so_far
    so_far += 1
    reference = part.get("$ref")
    if isinstance(reference, str):
        if reference in trail:
            raise SchemaInvalid("$", f"The `$ref` to `{reference}` leads back to itself: write the levels out.")
        found = _resolve(schema, reference, "$")
        so_far = _count_parts(schema, found, (*trail, reference), depth + 1, so_far)
    for word, child in part.items():
        # A property may be called so, too: only at the top it holds what counts where it is used.
        if word != "$defs" or part is not schema:
            so_far = _count_parts(schema, child, trail, depth + 1, so_far)
    return so_far


def _describe(error: jsonschema_rs.ValidationError) -> str:
    first = str(error).splitlines()[0]
    if error.kind.name == "format":
        written = msgspec.json.encode(error.instance).decode()
        return f"The pattern {written} is not a regular expression that can be used here."
    return f"This is not valid in a JSON Schema: {first}."
