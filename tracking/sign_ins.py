"""A sign-in is told to the device's lane by the transaction that accepts it.

Were it left to the evaluator, the device's lane would hear of it some moments later, and what happens on the device
until then would still be whose it was before. Pure.
"""

from engagement.lib.ids import compute_id, compute_lane, compute_timed_id, read_moment
from tracking.event import ALIAS, IDENTIFY, LINKED, SYSTEM, NewEvent, compute_anonymous_profile_id


def tell_devices(event: NewEvent) -> list[NewEvent]:
    """Return what stands in the log just before an event by which somebody signs in: a `$linked` for each device.

    Anything else that names a person and a device links them when the evaluator comes to it: to write a second row for
    each such event would cost more than it is worth.
    """
    if event.name not in (IDENTIFY, ALIAS) or event.user_id is None or event.source_id is None:
        return []
    previous = event.properties.get("previous_id") if event.name == ALIAS else None
    return [_tell_device(event, event.source_id, one) for one in (event.anonymous_id, previous) if isinstance(one, str)]


def _tell_device(event: NewEvent, source_id: int, anonymous_id: str) -> NewEvent:
    profile_id = compute_anonymous_profile_id(source_id, anonymous_id)
    key = event.dedup_key
    return NewEvent(
        id=compute_timed_id(read_moment(event.id), LINKED, event.id.hex, profile_id.hex),
        lane=compute_lane(profile_id),
        profile_id=profile_id,
        name=LINKED,
        properties={
            "profile": str(event.profile_id),
            "user_id": event.user_id,
            "known": False,
            "origin": event.origin,
        },
        context={},
        source_id=source_id,
        origin=SYSTEM,
        anonymous_id=anonymous_id,
        occurred_at=event.occurred_at,
        dedup_key=compute_id("sign-in", key.hex, profile_id.hex) if key is not None else None,
    )
