"""Switching a destination on and off. Off, it has no place in the log: what happens meanwhile is never copied."""

from engagement.lib.postgres import open_connection
from tracking.log.follow import start_following, stop_following
from tracking.log.read import load_bound
from triggers.forward.claim import name_consumer
from triggers.models import Destination, DestinationProgress, DestinationState

_TIMEOUT_MS = 5_000
_LOCK = "select from triggers_destinationprogress where destination_id = %s for update"
_IS_OFF = "select from triggers_destination where id = %s and state = 'off'"
_STATE = "update triggers_destination set state = %s where id = %s"
_PAUSE = "update triggers_destination set state = 'paused' where id = %s and state <> 'off'"
_AFRESH = """
update triggers_destinationprogress
   set failures = 0, refusals = 0, failing_since = null, retry_at = null, error = '', error_at = null
 where destination_id = %s
"""
_TRY_NOW = "update triggers_destinationprogress set retry_at = null where destination_id = %s"
_TRY_LANES_NOW = "update triggers_copylease set retry_at = null where destination_id = %s"
_END_LEASES = "delete from triggers_copylease where destination_id = %s"


def switch_on(destination: Destination) -> None:
    """Send what happens from now on. One that was paused goes on where it was, and is tried at once."""
    DestinationProgress.objects.get_or_create(destination=destination)
    _start(destination, begins=True)


def resume(destination: Destination) -> bool:
    """Go on where it was paused; return False for one that is off, which has no place to go on from."""
    return _start(destination, begins=False)


def _start(destination: Destination, *, begins: bool) -> bool:
    """Send from its place in the log; one that is off begins at the log's end, or, unless it `begins`, stays off."""
    with open_connection("engagement-admin", timeout_ms=_TIMEOUT_MS) as connection:
        bound = load_bound(connection)
        with connection.transaction():
            connection.execute(_LOCK, (destination.pk,))
            # Behind the lock: somebody may have switched it since it was read.
            is_off = connection.execute(_IS_OFF, (destination.pk,)).fetchone() is not None
            if is_off and begins:
                connection.execute(_AFRESH, (destination.pk,))
            elif is_off:
                destination.state = DestinationState.OFF
                return False
            connection.execute(_TRY_NOW, (destination.pk,))
            connection.execute(_TRY_LANES_NOW, (destination.pk,))
            start_following(connection, name_consumer(destination.pk), bound)
            connection.execute(_STATE, (DestinationState.ON.value, destination.pk))
    destination.state = DestinationState.ON
    return True


def pause(destination: Destination) -> bool:
    """Send nothing, and keep the place in the log: all that happens meanwhile is sent later.

    Return False for one that is off: it has no place to keep.
    """
    with open_connection("engagement-admin", timeout_ms=_TIMEOUT_MS) as connection, connection.transaction():
        connection.execute(_LOCK, (destination.pk,))
        has_place = connection.execute(_PAUSE, (destination.pk,)).rowcount > 0
    destination.state = DestinationState.PAUSED if has_place else DestinationState.OFF
    return has_place


def switch_off(destination: Destination) -> None:
    """Send nothing and keep no place: what was not sent yet, and what happens meanwhile, is never sent."""
    with open_connection("engagement-admin", timeout_ms=_TIMEOUT_MS) as connection, connection.transaction():
        connection.execute(_LOCK, (destination.pk,))
        connection.execute(_STATE, (DestinationState.OFF.value, destination.pk))
        connection.execute(_END_LEASES, (destination.pk,))
        stop_following(connection, name_consumer(destination.pk))
    destination.state = DestinationState.OFF
