"""Switching a destination on and off. Off, it has no place in the log: what happens meanwhile is never copied."""

from engagement.lib.postgres import open_connection
from tracking.log.follow import start_following, stop_following
from tracking.log.read import load_bound
from triggers.forward.claim import name_consumer
from triggers.models import Destination, DestinationProgress, DestinationState

_TIMEOUT_MS = 5_000
_LOCK = "select from triggers_destinationprogress where destination_id = %s for update"
_STATE = "update triggers_destination set state = %s where id = %s"
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
    with open_connection("engagement-admin", timeout_ms=_TIMEOUT_MS) as connection:
        bound = load_bound(connection)
        with connection.transaction():
            connection.execute(_LOCK, (destination.pk,))
            if destination.state == DestinationState.OFF:
                connection.execute(_AFRESH, (destination.pk,))
            connection.execute(_TRY_NOW, (destination.pk,))
            connection.execute(_TRY_LANES_NOW, (destination.pk,))
            start_following(connection, name_consumer(destination.pk), bound)
            connection.execute(_STATE, (DestinationState.ON.value, destination.pk))
    destination.state = DestinationState.ON


def pause(destination: Destination) -> None:
    """Send nothing, and keep the place in the log: all that happens meanwhile is sent later."""
    _turn(destination, DestinationState.PAUSED, forget=False)


def switch_off(destination: Destination) -> None:
    """Send nothing and keep no place: what was not sent yet, and what happens meanwhile, is never sent."""
    _turn(destination, DestinationState.OFF, forget=True)


def _turn(destination: Destination, state: DestinationState, *, forget: bool) -> None:
    with open_connection("engagement-admin", timeout_ms=_TIMEOUT_MS) as connection, connection.transaction():
        connection.execute(_LOCK, (destination.pk,))
        connection.execute(_STATE, (state.value, destination.pk))
        if forget:
            connection.execute(_END_LEASES, (destination.pk,))
            stop_following(connection, name_consumer(destination.pk))
    destination.state = state
