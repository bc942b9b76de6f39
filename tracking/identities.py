"""Whose is a payload? The profiles that it belongs to, and the mail addresses in it, as hashes.

An item that was understood says whose it is, and is nobody else's, whoever is named in its properties. A payload that
was not is often no JSON, or cut, so it is searched as text: for the names under which clients send ids, each in its own
role, and for what looks like a mail address. An id under another name, or in another encoding, is not found.
"""

import json
import re
from collections.abc import Callable
from itertools import chain, islice
from uuid import UUID

from engagement.lib.ids import compute_id
from tracking.event import ALIAS, Item, compute_anonymous_profile_id, compute_profile_id, compute_user_profile_id

MAX_FOUND = 200
_DEVICE = "$device:"


def _as_user(source_id: int, value: str) -> tuple[UUID, ...]:
    return (compute_user_profile_id(value),)


def _as_anonymous(source_id: int, value: str) -> tuple[UUID, ...]:
    return (compute_anonymous_profile_id(source_id, value.removeprefix(_DEVICE)),)


def _as_either(source_id: int, value: str) -> tuple[UUID, ...]:
    if value.startswith(_DEVICE):
        return _as_anonymous(source_id, value)
    return _as_user(source_id, value) + _as_anonymous(source_id, value)


_ROLES: dict[str, Callable[[int, str], tuple[UUID, ...]]] = {
    "user_id": _as_user,
    "userId": _as_user,
    "$user_id": _as_user,
    "uid": _as_user,
    "anonymous_id": _as_anonymous,
    "anonymousId": _as_anonymous,
    "$device_id": _as_anonymous,
    "client_id": _as_anonymous,
    "app_instance_id": _as_anonymous,
    "cid": _as_anonymous,
    "distinct_id": _as_either,
    "$distinct_id": _as_either,
    "$anon_distinct_id": _as_either,
    "alias": _as_either,
    "previous_id": _as_either,
    "previousId": _as_either,
    "customer_id": _as_user,
}
"""The names under which clients send ids, and what an id under each is."""
_PROPERTIES = frozenset({"customer_id"})
"""No client's name for who did it: it tells whose a payload is only where nothing else does."""

_NAMED = "|".join(map(re.escape, _ROLES)).encode()
_IDS = re.compile(rb'"(' + _NAMED + rb')"\s*:\s*("(?:[^"\\]|\\.)*"|-?\d+)')
_FORM_IDS = re.compile(rb"(?:^|[?&])(" + _NAMED + rb")=([\w.@+-]{1,255})")
# Looked for at the beginning of a word only: a long word would be looked through from each of its letters.
_ADDRESSES = re.compile(rb"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")


def list_people(source_id: int, item: Item, is_public: bool) -> tuple[UUID, ...]:
    """Return the profiles that an understood item belongs to; none where it names nobody.

    An alias belongs to who it says somebody was before as well, whom a page knows only as somebody anonymous.
    """
    people: tuple[UUID, ...] = ()
    if item.user_id or item.anonymous_id:
        people = (compute_profile_id(source_id, item.user_id or None, item.anonymous_id),)
    previous = item.properties.get("previous_id") if item.name == ALIAS else None
    if isinstance(previous, str) and previous:
        people += (compute_anonymous_profile_id(source_id, previous),)
        people += () if is_public else (compute_user_profile_id(previous),)
    return people


def find_identities(source_id: int, payload: bytes) -> list[UUID]:
    """Return the profiles and the hashes of mail addresses that a payload names which nobody understood."""
    found: dict[UUID, None] = {}
    ids = islice(chain(_IDS.finditer(payload), _FORM_IDS.finditer(payload)), MAX_FOUND)
    named = [(match[1].decode(), _read(match[2])) for match in ids]
    own = [(name, value) for name, value in named if value and name not in _PROPERTIES]
    for name, value in own or named:
        if value:
            found |= dict.fromkeys(_ROLES[name](source_id, value))
    for match in islice(_ADDRESSES.finditer(payload), MAX_FOUND):
        found[compute_address_id(match[0].decode("ascii", "ignore"))] = None
    return list(found)


def compute_address_id(address: str) -> UUID:
    """Return the hash of a mail address, whatever its case."""
    return compute_id("address", address.strip().lower())


def _read(literal: bytes) -> str:
    try:
        return str(json.loads(literal)) if literal[:1] == b'"' else literal.decode("ascii")
    except ValueError:
        return literal.strip(b'"').decode("utf-8", "replace")
