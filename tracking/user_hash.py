"""The proof that a page may speak for a user: HMAC-SHA256 of the user's id with the source's identity secret. Pure."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from tracking.event import IDENTIFY, Item
from tracking.traits import OPERATORS

FIELD = "user_hash"
# Under a name of GA4's parameters too, and within a text that holds JSON.
_IN_PAYLOAD = re.compile(rb'("(?:(?:ep|up)n?\.)?user_hash\\*"\s*:\s*\\*")[^"\\]*')
_TRAITS = ("traits", *OPERATORS)


def compute_user_hash(secret: bytes, user_id: str) -> str:
    """Return what a server hands to the page of a user who has signed in, in hex."""
    return hmac.new(secret, user_id.encode(), hashlib.sha256).hexdigest()


def is_right(secrets: Iterable[bytes], user_id: str, given: str) -> bool:
    """Whether one of the secrets made this hash. Takes as long for a wrong one as for a right one."""
    digest = given.strip().lower().encode("ascii", "replace")
    found = [hmac.compare_digest(compute_user_hash(secret, user_id).encode(), digest) for secret in secrets]
    return any(found)


def carries_hash(item: Item) -> bool:
    """Whether an item holds a hash, wherever its client could put it."""
    properties, context = item.properties, item.context
    if item.user_hash is not None or FIELD in properties or FIELD in context:
        return True
    if "traits" in context and FIELD in _read_object(context, "traits"):
        return True
    if item.name == IDENTIFY:
        return any(FIELD in _read_object(properties, name) for name in _TRAITS)
    return "traits" in properties and FIELD in _read_object(properties, "traits")


def take_hash(item: Item) -> tuple[Item, str | None]:
    """Return an item without its hash, and the hash: from its own field, the context, the properties or the traits,
    an identify's operators included."""
    said = _TRAITS if item.name == IDENTIFY else ("traits",)
    held = [item.context, item.properties]
    held += [_read_object(item.properties, name) for name in said] + [_read_object(item.context, "traits")]
    places = (item.user_hash, *(fields.get(FIELD) for fields in held))
    properties, context = _drop(item.properties, said), _drop(item.context, ("traits",))
    bare = msgspec.structs.replace(item, user_hash=None, properties=properties, context=context)
    return bare, next((value for value in places if isinstance(value, str) and value), None)


def blank_hashes(payload: bytes) -> bytes:
    """Return a payload that could not be understood without the hashes in it."""
    return _IN_PAYLOAD.sub(rb"\1", payload)


def _read_object(fields: dict[str, Any], name: str) -> dict[str, Any]:
    held = fields.get(name)
    return held if isinstance(held, dict) else {}


def _drop(fields: dict[str, Any], inner: Iterable[str]) -> dict[str, Any]:
    bare = {name: value for name, value in fields.items() if name != FIELD}
    for name in inner:
        held = _read_object(bare, name)
        if FIELD in held:
            bare[name] = {key: value for key, value in held.items() if key != FIELD}
    return bare
