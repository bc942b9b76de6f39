"""The limits of an item, as one pure check."""

from collections.abc import Sequence
from typing import Any

from tracking.event import ALIAS, GROUP, IDENTIFY, Item, Rejection
from tracking.given_ids import PLACEHOLDER, describe_placeholder, find_placeholder

MAX_BODY = 1_000_000
MAX_BATCH = 1_000
MAX_EVENT = 32 * 1024
MAX_PROPERTIES = 255
MAX_DEPTH = 16
TOO_DEEP = f"Objects and lists may be nested {MAX_DEPTH} deep."
MAX_NAME = 200
MAX_ID = 255
_SAID_BY_CLIENTS = frozenset({IDENTIFY, ALIAS, GROUP})
"""Whatever a dialect, a payload of the quarantine or a file is read as, it brings no more of our own names."""


def may_hold_nul(body: bytes) -> bool:
    """Whether text in this body may hold U+0000: one look at the bytes saves a look at every text."""
    return b"\\u0000" in body or b"\x00" in body


def needs_look(body: bytes, items: Sequence[Item | Rejection]) -> bool:
    """Whether the values of a body's items must be looked at one by one; if not, two looks at the bytes were enough.

    They must where text may hold U+0000, or where a body has more brackets than its items need to be flat: then a
    value may be nested, or a text hold a bracket.
    """
    if may_hold_nul(body) or body.count(b"[") > 1:
        return True
    parts = [bool(item.properties) + bool(item.context) for item in items if isinstance(item, Item)]
    return body.count(b"{") > 1 + len(items) + sum(parts)


def check_item(item: Item, *, looks: bool = True) -> Rejection | None:
    """Return why an item breaks a limit, or None.

    Sizes are checked where the row is encoded. With `looks`, values that are nested too deep and text that PostgreSQL
    cannot store (NUL) are refused too; see `needs_look`.
    """
    if not 1 <= len(item.name) <= MAX_NAME:
        return _reject(item, "invalid_name", "event", f"An event's name has 1 to {MAX_NAME} characters.")
    if item.name[0] == "$" and item.name not in _SAID_BY_CLIENTS:
        return _reject(item, "reserved_event", "event", "Names that begin with a dollar sign belong to the platform.")
    ids = (("user_id", item.user_id), ("anonymous_id", item.anonymous_id), ("message_id", item.message_id))
    for field, value in ids:
        if value is not None and not 1 <= len(value) <= MAX_ID:
            return _reject(item, "invalid_id", field, f"An id has 1 to {MAX_ID} characters.")
    placeholder = find_placeholder(item)
    if placeholder is not None:
        field, given = placeholder
        return _reject(item, PLACEHOLDER, field, describe_placeholder(given))
    if item.user_id is None and item.anonymous_id is None:
        return _reject(item, "identity_required", "user_id", "Give a user_id or an anonymous_id.")
    if len(item.properties) > MAX_PROPERTIES:
        message = f"An event has at most {MAX_PROPERTIES} properties."
        return _reject(item, "too_many_properties", "properties", message)
    return _check_text(item) if looks else None


def _check_text(item: Item) -> Rejection | None:
    for field, value in _texts(item):
        problem = find_problem(value, field)
        if problem:
            code, path, message = problem
            return _reject(item, code, path, message)
    return None


def _texts(item: Item) -> tuple[tuple[str, Any], ...]:
    return (
        ("properties", item.properties),
        ("context", item.context),
        ("event", item.name),
        ("user_id", item.user_id),
        ("anonymous_id", item.anonymous_id),
        ("message_id", item.message_id),
    )


def find_problem(value: Any, path: str, depth: int = 1) -> tuple[str, str, str] | None:
    """Return (code, path, message) of the first value that is too deep or cannot be stored as text, or None."""
    if type(value) is str:
        if "\x00" in value:
            return "nul_character", path, "Text may not hold the character U+0000."
        return None
    if isinstance(value, dict):
        children: Any = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    else:
        return None
    if depth > MAX_DEPTH:
        return "too_deep", path, TOO_DEEP
    for key, child in children:
        problem = find_problem(key, path) or find_problem(child, f"{path}.{key}", depth + 1)
        if problem:
            return problem
    return None


def _reject(item: Item, code: str, field: str, message: str) -> Rejection:
    return Rejection(index=item.index, code=code, field=field, message=message)
