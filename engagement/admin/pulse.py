"""The red banner: what has stood still for three of its intervals, and since when."""

from datetime import UTC, datetime, timedelta

from django_celery_beat.models import PeriodicTask
from msgspec import Struct

from engagement.health import INTERVALS_LATE, Pulse, load_liveness
from engagement.lib.say import say_moment

_RARE = 10.0


class Standstill(Struct, frozen=True, kw_only=True):
    """A schedule that is late."""

    name: str
    since: str


def find_standstills(now: datetime | None = None) -> list[Standstill]:
    """Return what is late. A rare schedule that is new has not had its first turn yet, and is not."""
    moment = now or datetime.now(UTC)
    late = [pulse for pulse in load_liveness() if pulse.is_late and not _is_new(pulse, moment)]
    return [
        Standstill(name=pulse.name, since=f"since {say_moment(pulse.last_ran_at)}" if pulse.last_ran_at else "yet")
        for pulse in late
    ]


def _is_new(pulse: Pulse, now: datetime) -> bool:
    if pulse.last_ran_at is not None or pulse.every < _RARE:
        return False
    changed = PeriodicTask.objects.filter(name=pulse.name).values_list("date_changed", flat=True).first()
    return changed is not None and now - changed < timedelta(seconds=INTERVALS_LATE * pulse.every)
