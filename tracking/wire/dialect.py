"""What a dialect is: how one kind of client speaks, as functions of a request. Pure.

A dialect decides nothing. It finds the key, reads the items, and words the answer that its clients take for success or
failure; the door does the rest.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tracking.event import Item, Receipt, Rejection
from tracking.schema.validate import MAX_BODY
from tracking.wire.request import WireError, WireRequest, WireResponse

Parsed = list[Item | Rejection]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says: its items, each item as it came (for quarantine), and the key where the body names it."""

    items: Parsed
    raw: Sequence[Any]
    key: str | None = None


def find_no_key(request: WireRequest) -> str | None:
    """The key is not where only this dialect would look: it stands in the usual headers, or in the body."""
    return None


def is_always_meant(request: WireRequest) -> bool:
    """The path belongs to this dialect alone."""
    return True


def refuse_in_json(request: WireRequest, error: WireError) -> WireResponse:
    """Say why the whole request is refused, in the platform's own words."""
    return error.answer({})


def cut_raw(request: WireRequest, told: Told, index: int) -> bytes:
    """Return an item as it came."""
    return msgspec.json.encode(told.raw[index])


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of client.

    `name` is kept with what is refused, so that it can be read again by `parse_item`; `methods` maps each path (without
    a trailing slash) to its HTTP methods. `find_key` looks where a key stands outside the body; a dialect whose body
    names the key (`names_key`) is read before anybody is authenticated. `read` raises WireError where nothing can be
    understood; an item that cannot be is a Rejection among `Told.items`. `answer` gets what was
    read, so that it is not read again, and a receipt for each item, in order. `notes_address` says whether the client
    lets the address that it sends from be noted. `max_body`: bytes, as they are sent.
    """

    name: str
    methods: dict[str, tuple[str, ...]]
    read: Callable[[WireRequest], Told]
    answer: Callable[[WireRequest, Told, list[Receipt]], WireResponse]
    parse_item: Callable[[bytes], Item | Rejection]
    find_key: Callable[[WireRequest], str | None] = find_no_key
    names_key: bool = False
    is_meant: Callable[[WireRequest], bool] = is_always_meant
    refuse: Callable[[WireRequest, WireError], WireResponse] = refuse_in_json
    cut: Callable[[WireRequest, Told, int], bytes] = cut_raw
    needs_look: Callable[[WireRequest, Told], bool] = lambda request, told: True
    notes_address: Callable[[WireRequest], bool] = lambda request: True
    max_body: int = MAX_BODY
