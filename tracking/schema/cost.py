"""What it costs to check an event against a schema: the checks of a value, and errors without those of branches.

Both rely on a checked schema: its references are local and lead nowhere back. Pure.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from tracking.schema.paths import find_part, read_reference, write_reference

_ALTERNATIVES = ("anyOf", "oneOf")
# What stands in these applies to the same value as the part that holds it …
_SAME_VALUE = ("$ref", "allOf", *_ALTERNATIVES, "not", "if", "then", "else", "dependentSchemas")
# … in these to many values inside it …
_MANY_VALUES = (
    *("items", "contains", "unevaluatedItems"),
    *("additionalProperties", "patternProperties", "propertyNames", "unevaluatedProperties"),
)
# … and in these to one value each, which has a place or a name of its own.
_OWN_VALUE = ("properties", "prefixItems")
_MAPS = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")
_DATA = ("const", "enum", "default", "examples")


def weigh_schema(schema: dict[str, Any]) -> int:
    """Return how many checks a value takes at most where there may be any number of its kind, as in a list.

    Those of other values come to no more than the schema has parts, and are left out.
    """
    return _weigh_many(schema, schema)


def cut_branches(schema: dict[str, Any]) -> dict[str, Any]:
    """Return an equal schema whose errors do not hold those of branches.

    Of an `anyOf` that fails the library gathers whatever is wrong in any branch; of an `if` it asks only whether it
    holds. So the branches move into one: `[{"if": {"anyOf": branches}, "else": false}]`.
    """
    return {word: _cut_word(schema, word, value) for word, value in schema.items()}


def _weigh_many(schema: dict[str, Any], part: Any) -> int:
    """Return the most checks of one of the values inside a part's value that there may be any number of."""
    if not isinstance(part, dict):
        return 0
    same = sum(_weigh_many(schema, child) for child in _list_children(schema, part, _SAME_VALUE))
    many = sum(_weigh_each(schema, child) for child in _list_children(schema, part, _MANY_VALUES))
    own = (_weigh_many(schema, child) for child in _list_children(schema, part, _OWN_VALUE))
    return same + many + max(own, default=0)


def _weigh_each(schema: dict[str, Any], part: Any) -> int:
    """Return the most checks that a part means for its value, or for any one inside it."""
    if not isinstance(part, dict):
        return 1
    shared = sum(_weigh_each(schema, child) for child in _list_children(schema, part, (*_SAME_VALUE, *_MANY_VALUES)))
    inside = (_weigh_each(schema, child) for child in _list_children(schema, part, _OWN_VALUE))
    return shared + max(len(part) + sum(map(len, _list_compared(part))), max(inside, default=0))


def _list_children(schema: dict[str, Any], part: Mapping[str, Any], words: Iterable[str]) -> Iterable[Any]:
    for word in words:
        value = part.get(word)
        if word == "$ref" and isinstance(value, str):
            yield find_part(schema, read_reference(value))
        elif isinstance(value, list) or (word in _MAPS and isinstance(value, dict)):
            yield from value.values() if isinstance(value, dict) else value
        elif value is not None:
            yield value


def _list_compared(part: Mapping[str, Any]) -> Iterable[Any]:
    """Yield the lists and objects of a part whose members are gone through for each value."""
    for word in ("required", "dependentRequired", "enum"):
        value = part.get(word)
        # The library looks a text up among texts, and compares with each where they are mixed.
        if isinstance(value, list | dict) and not (word == "enum" and all(isinstance(one, str) for one in value)):
            yield value


def _cut_word(schema: dict[str, Any], word: str, value: Any) -> Any:
    if word == "$ref" and isinstance(value, str):
        return write_reference(_move_steps(schema, read_reference(value)))
    if word in _DATA:
        return value
    if word in _MAPS and isinstance(value, dict):
        return {name: _cut_part(schema, child) for name, child in value.items()}
    if isinstance(value, list):
        children = [_cut_part(schema, child) for child in value]
        return [{"if": {word: children}, "else": False}] if word in _ALTERNATIVES else children
    return _cut_part(schema, value)


def _cut_part(schema: dict[str, Any], part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    return {word: _cut_word(schema, word, value) for word, value in part.items()}


def _move_steps(schema: dict[str, Any], steps: list[str]) -> Iterable[str]:
    """Yield the steps to where a part has moved."""
    word = ""
    for place, step in enumerate(steps):
        if word in _ALTERNATIVES and isinstance(find_part(schema, steps[:place]), list):
            yield from ("0", "if", word)
        yield step
        word = step
