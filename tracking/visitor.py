"""Visitors without an id: the anonymous id that a page which sends none is given, in a first-party cookie."""

import re
from uuid import uuid4

import msgspec

from engagement.lib.ids import compute_id
from tracking.caller import Caller
from tracking.event import Item
from tracking.given_ids import drop_id, means_nobody
from tracking.wire.dialect import Told
from tracking.wire.request import Cookie, WireRequest

COOKIE = "ea_id"
_COOKIE_SECONDS = 400 * 86_400
# A cookie is what a client says it is, and the look at a body's values sees no headers.
_OURS = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UUID = re.compile(r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}", re.IGNORECASE)


def give_identity(told: Told, request: WireRequest, caller: Caller) -> tuple[Told, Cookie | None]:
    """Give the one item of a request an anonymous id where it has none, and the cookie that keeps it.

    The id is computed from the message id where that is one that nobody else has (it holds a UUID), so that a
    retry whose answer, and cookie, was lost is still the same person. A request from another site carries no cookie:
    its event is marked, and counted.
    """
    item = told.items[0]
    if not isinstance(item, Item):
        return told, None
    if item.anonymous_id is not None:
        if not means_nobody(item.anonymous_id):
            return told, None
        item = drop_id(item, "anonymous_id")
    known = request.cookies.get(COOKIE)
    if item.user_id is not None and not means_nobody(item.user_id) and known is None:
        return told, None
    if known is not None and _OURS.fullmatch(known):
        return _replace(told, msgspec.structs.replace(item, anonymous_id=known)), None
    anonymous_id = _make_anonymous_id(item, caller.source.id)
    is_lost = not _is_first_party(request, caller)
    context = item.context | {"$without_identity": True} if is_lost else item.context
    cookie = Cookie(name=COOKIE, value=anonymous_id, max_age=_COOKIE_SECONDS, secure=request.is_secure)
    given = msgspec.structs.replace(item, anonymous_id=anonymous_id, context=context)
    return _replace(told, given), None if is_lost else cookie


def _replace(told: Told, item: Item) -> Told:
    return msgspec.structs.replace(told, items=[item])


def _make_anonymous_id(item: Item, source_id: int) -> str:
    given = item.message_id
    if given is None or means_nobody(given) or not _UUID.search(given):
        return uuid4().hex
    return compute_id("anonymous", str(source_id), given).hex


def _is_first_party(request: WireRequest, caller: Caller) -> bool:
    if caller.origin is None:
        return False
    return caller.origin.partition("://")[2] == request.headers.get("host")
