"""A sign-in is told to the device's lane by the transaction that accepts it.

Were it left to the evaluator, the device's lane would hear of it some moments later, and what happens on the device
until then would still be whose it was before. Pure.
"""

from typing import Any, Protocol

from engagement.lib.ids import compute_id, compute_lane, compute_timed_id, read_moment
from tracking.event import ALIAS, IDENTIFY, LINKED, SYSTEM, NewEvent, compute_anonymous_profile_id


class SignIn(Protocol):
    """What an event says by which somebody may sign in, on its way to the log or in it."""

    @property
    def name(self) -> str: ...
    @property
    def user_id(self) -> str | None: ...
    @property
    def anonymous_id(self) -> str | None: ...
    @property
    def source_id(self) -> int | None: ...
    @property
    def properties(self) -> dict[str, Any]: ...


def find_devices(event: SignIn) -> list[str]:
    """Return the anonymous ids of the devices on which somebody signs in by an event."""
    if event.name not in (IDENTIFY, ALIAS) or event.user_id is None or event.source_id is None:
        return []
    previous = event.properties.get("previous_id") if event.name == ALIAS else None
    return [one for one in (event.anonymous_id, previous) if isinstance(one, str)]


def tell_devices(event: NewEvent) -> list[NewEvent]:
    """Return what stands in the log just before an event by which somebody signs in: a `$linked` for each device.

    Anything else that names a person and a device links them when the evaluator comes to it: to write a second row for
    each such event would cost more than it is worth.
    """
    return [_tell_device(event, event.source_id or 0, one) for one in find_devices(event)]


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
        # What an alias names may be anybody's id: it is not kept as that of a device, which outlives them.
        anonymous_id=anonymous_id if anonymous_id == event.anonymous_id else None,
        occurred_at=event.occurred_at,
        dedup_key=compute_id("sign-in", key.hex, profile_id.hex) if key is not None else None,
    )
