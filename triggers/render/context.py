"""What a template may speak of: the person, the event that started it, and its source."""

from datetime import datetime
from typing import Any

from triggers.render.dates import NOW, TODAY, ZONE, find_zone, is_zone


def build_variables(
    *,
    user_id: str | None,
    traits: dict[str, Any],
    event_name: str,
    occurred_at: datetime,
    properties: dict[str, Any],
    source_name: str,
    time_zone: str,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Return the variables of a message.

    `time_zone` is the installation's, used where the person's is not known; `now` the moment at which the message is
    made, the event's where it is not given.
    """
    own_zone = traits.get("timezone")
    zone = own_zone if is_zone(own_zone) else time_zone
    moment = now if now is not None else occurred_at
    event = {"name": event_name, "occurred_at": occurred_at.isoformat(), "properties": properties}
    return {
        "user": {"id": user_id} | traits,
        "event": event | {name: value for name, value in properties.items() if name not in event},
        "source": {"name": source_name},
        NOW: moment.isoformat(),
        TODAY: moment.astimezone(find_zone(zone)).date().isoformat(),
        ZONE: zone,
    }
