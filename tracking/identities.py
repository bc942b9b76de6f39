"""Whose is a payload? The ids and addresses that stand in it, as hashes, whatever the dialect and however broken.

A payload that was refused is often no JSON, or cut. So it is searched as text: for the names under which clients send
ids, and for what looks like a mail address. An id under another name, or in another encoding, is not found.
"""

import json
import re
from itertools import chain, islice
from uuid import UUID

from engagement.lib.ids import compute_id
from tracking.event import compute_anonymous_profile_id, compute_user_profile_id

MAX_FOUND = 200
_NAMES = (
    "user_id",
    "userId",
    "anonymous_id",
    "anonymousId",
    "previous_id",
    "previousId",
    "distinct_id",
    "alias",
    "$user_id",
    "$device_id",
    "$distinct_id",
    "$anon_distinct_id",
    "client_id",
    "customer_id",
    "uid",
    "cid",
)
_IDS = re.compile(
    rb'"(?:' + b"|".join(re.escape(name).encode() for name in _NAMES) + rb')"\s*:\s*("(?:[^"\\]|\\.)*"|-?\d+)'
)
_FORM_IDS = re.compile(
    rb"(?:^|[?&])(?:" + b"|".join(re.escape(name).encode() for name in _NAMES) + rb")=([\w.@+-]{1,255})"
)
# Looked for at the beginning of a word only: a long word would be looked through from each of its letters.
_ADDRESSES = re.compile(rb"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_DEVICE = "$device:"


def find_identities(source_id: int, payload: bytes) -> list[UUID]:
    """Return hashes of the ids and mail addresses in a payload of a source."""
    found: dict[UUID, None] = {}
    for match in islice(chain(_IDS.finditer(payload), _FORM_IDS.finditer(payload)), MAX_FOUND):
        value = _read(match[1])
        if value:
            found[compute_user_profile_id(value)] = None
            found[compute_anonymous_profile_id(source_id, value.removeprefix(_DEVICE))] = None
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
