"""What Mixpanel's clients say of people and of groups: operators on attributes. Pure."""

from datetime import datetime
from typing import Any

from tracking.event import GROUP, IDENTIFY, Item
from tracking.wire.fields import Fields, Unclear, read_object
from tracking.wire.mixpanel.events import Around, add_address
from tracking.wire.mixpanel.identity import make_message_id, read_ids, read_real_id, read_time
from tracking.wire.mixpanel.names import name_trait

_OPERATORS = {
    "$set": "traits",
    "$set_once": "set_once",
    "$add": "add",
    "$append": "append",
    "$union": "union",
    "$remove": "remove",
}
_UNSET = "$unset"
_DELETE = "$delete"


def make_identify(index: int, told: Fields, around: Around) -> Item:
    """Return what is said of one person; raises Unclear. Nobody is erased in passing: that has a call of its own."""
    if _DELETE in told:
        message = "A person is erased by DELETE /v1/profiles/{user_id}, with the secret key."
        raise Unclear(_DELETE, message, code="use_erasure")
    ids = read_ids(told, "", "$distinct_id")
    return _make_item(index, told, around, IDENTIFY, ids.user_id, ids.anonymous_id, _read_operators(told))


def make_group(index: int, told: Fields, around: Around) -> Item:
    """Return what is said of one group; raises Unclear.

    Nobody in particular says it: it stands in the log under the group itself.
    """
    if _DELETE in told:
        raise Unclear(_DELETE, "Groups are not kept apart from the log: there is nothing to delete.")
    key, group_id = read_real_id(told, "$group_key"), read_real_id(told, "$group_id")
    if key is None or group_id is None:
        raise Unclear("$group_id", "Give the group's $group_key and $group_id.")
    properties = {"group_key": key, "group_id": group_id} | _read_operators(told)
    return _make_item(index, told, around, GROUP, None, f"$group:{key}:{group_id}", properties)


def _make_item(
    index: int,
    told: Fields,
    around: Around,
    name: str,
    user_id: str | None,
    anonymous_id: str | None,
    properties: dict[str, Any],
) -> Item:
    timestamp = read_time(told, "$time")
    address = told.get("$ip")
    return Item(
        index=index,
        name=name,
        user_id=user_id,
        anonymous_id=anonymous_id,
        message_id=_choose_message_id(index, told, timestamp, around),
        timestamp=timestamp,
        sent_at=around.sent_at,
        properties=properties,
        context=add_address({"ip": address} if isinstance(address, str) else {}, around.address),
    )


def _choose_message_id(index: int, told: Fields, timestamp: datetime | None, around: Around) -> str | None:
    """Return the same id for a statement that comes again: what carries a time tells by itself.

    A page's statements carry none. A browser may send a whole request again by itself: there the clock of the attempt
    and the place in the batch tell. Of what a page sends singly two may be made in the same millisecond.
    """
    if timestamp is not None:
        return make_message_id(told)
    if around.sent_at is None or not around.is_batch:
        return None
    return make_message_id({**told, "_": [around.sent_at, index]})


def _read_operators(told: Fields) -> dict[str, Any]:
    """Return the operators in our words; `traits` is always among them."""
    found: dict[str, Any] = {"traits": {}}
    for name, operator in _OPERATORS.items():
        if name in told:
            found[operator] = {name_trait(trait): value for trait, value in read_object(told, name).items()}
    if _UNSET in told:
        found["unset"] = _read_names(told[_UNSET])
    if not (told.keys() & {_UNSET, *_OPERATORS}):
        raise Unclear("", f"Give one of {', '.join([*_OPERATORS, _UNSET])}.")
    return found


def _read_names(told: Any) -> list[str]:
    names = told if isinstance(told, list) else [told]
    if not all(isinstance(name, str) for name in names):
        raise Unclear(_UNSET, "Give the names of attributes as a list.")
    return [name_trait(name) for name in names]
