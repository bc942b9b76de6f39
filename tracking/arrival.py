"""What becomes of an item's ids, its address and the proof of who speaks, before anything of it is kept anywhere."""

import msgspec

from tracking.addresses import blank_addresses, reduce_address
from tracking.caller import Caller
from tracking.event import Item, Rejection
from tracking.given_ids import drop_placeholders
from tracking.user_hash import blank_hashes, carries_hash, is_right, take_hash
from tracking.wire.dialect import Parsed

_ADDRESSES = ("ip", "ip_override")


def settle_items(items: Parsed, caller: Caller) -> Parsed:
    """Return the items without ids that stand for nobody, with what is kept of addresses, and each one's `user_hash` in
    its own field only."""
    return [settle_item(item, caller) if isinstance(item, Item) else item for item in items]


def settle_item(item: Item, caller: Caller) -> Item:
    """Return an item of which everything but `user_hash` may be kept."""
    item = drop_placeholders(item)
    if carries_hash(item):
        bare, given = take_hash(item)
        item = msgspec.structs.replace(bare, user_hash=given)
    # Spelled out, for it is asked of every event.
    if caller.address is None and "ip" not in item.context and "ip_override" not in item.context:
        return item
    return msgspec.structs.replace(item, context=_reduce_addresses(item, caller))


def check_speaker(item: Item, caller: Caller) -> Rejection | None:
    """Return why a public caller may not speak for the user of an item, or None."""
    if not caller.is_public or item.user_id is None or not caller.source.demands_user_hash:
        return None
    given = item.user_hash or caller.user_hash
    if given is None:
        message = (
            "This source demands a proof of who speaks: give user_hash, which your server computes of the user_id."
        )
        return Rejection(index=item.index, code="user_hash_required", field="user_hash", message=message)
    if is_right(caller.source.identity_secrets, item.user_id, given):
        return None
    message = "The user_hash is not the HMAC-SHA256 of this user_id, in hex, with the source's identity secret."
    return Rejection(index=item.index, code="user_hash_wrong", field="user_hash", message=message)


def encode_understood(item: Item) -> bytes:
    """Return a settled item for quarantine."""
    return msgspec.json.encode(msgspec.structs.replace(item, user_hash=None) if item.user_hash else item)


def blank_payload(payload: bytes, caller: Caller) -> bytes:
    """Return, for quarantine, a payload that could not be understood."""
    bare = blank_hashes(payload)
    return bare if caller.source.keeps_addresses else blank_addresses(bare, caller.peer)


def _reduce_addresses(item: Item, caller: Caller) -> dict[str, object]:
    context = {name: value for name, value in item.context.items() if name not in _ADDRESSES}
    for name in _ADDRESSES:
        given = item.context.get(name)
        kept = reduce_address(given, caller.source.address_policy) if isinstance(given, str) else None
        if kept is not None:
            context[name] = kept
    if caller.address is not None and "ip" not in item.context:
        context["ip"] = caller.address
    return context
