"""What is wrong with the installation: one list, for `manage.py doctor` and the dashboard."""

import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
import redis
from celery import current_app
from django.conf import settings
from django.core import checks
from django.core.mail import get_connection
from django.db import connection

from engagement.admin import figures
from engagement.admin.badges import load_in_doubt
from engagement.admin.pulse import find_standstills
from engagement.beat import is_somebody_leading
from engagement.checks import check_server
from engagement.health import count_missing_migrations
from tracking.log.partitions import list_missing_partitions
from tracking.log.watchdog import count_hung_writers
from tracking.quarantine import list_full
from triggers.admin.destination_words import load_failing
from triggers.broken_rules import list_broken
from triggers.models import SendingSwitch

_AHEAD = timedelta(days=7)
_TIMEOUT_SECONDS = 2
_SLOW_SECONDS = 60
_LEAST_FREE = 0.05


class State(StrEnum):
    """How bad a finding is. Nothing `failing` may stay as it is; a `warning` waits for a person."""

    OK = "ok"
    WARNING = "warning"
    FAILING = "failing"
    UNKNOWN = "unknown"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a look came to, and what to do about it."""

    name: str
    state: State = State.OK
    says: str = "ok"
    hint: str = ""


Result = tuple[State, str, str] | None
"""What is wrong, in words, and what to do; None where nothing is."""


def examine() -> list[Finding]:
    """Look at everything. What needs the database is not looked at while there is none; so with the cache."""
    found: list[Finding] = []
    away: set[str] = set()
    for name, needs, look in _LOOKS:
        if needs in away:
            found.append(Finding(name=name, state=State.UNKNOWN, says=f"not looked at: the {needs} is away"))
            continue
        one = _look(name, look)
        if one.state is not State.OK and name in ("database", "cache"):
            away.add(name)
        found.append(one)
    return found


def is_failing(found: Sequence[Finding]) -> bool:
    """Whether something may not stay as it is."""
    return any(one.state is State.FAILING for one in found)


def _look(name: str, look: Callable[[], Result]) -> Finding:
    try:
        result = look()
    except Exception as error:
        # Whatever the words of an error are, they may hold a password.
        result = (State.FAILING, f"cannot be reached: {type(error).__name__}", _HINTS.get(name, ""))
    if result is None:
        return Finding(name=name)
    state, says, hint = result
    return Finding(name=name, state=state, says=says, hint=hint)


_HINTS = {
    "database": "Start PostgreSQL, or set DATABASE_URL: no event is accepted meanwhile.",
    "cache": "Start Redis or Valkey, or set CACHE_URL. All goes on; limits hold for each process alone.",
    "broker": "Start the broker, or set CELERY_BROKER_URL. Events are stored; rules and messages wait.",
    "mail server": "Look at EMAIL_URL and the mail server. Messages are tried again for some hours.",
}


def _look_at_database() -> Result:
    with connection.cursor() as cursor:
        cursor.execute("select 1")
    return None


def _look_at_server() -> Result:
    return _sum_up(check_server())


def _look_at_migrations() -> Result:
    waiting = count_missing_migrations()
    return (State.FAILING, f"{waiting} are not applied", "Run manage.py migrate.") if waiting else None


def _look_at_partitions() -> Result:
    now = datetime.now(UTC)
    missing = list_missing_partitions(now, now + _AHEAD)
    hint = "“Keep the log” makes them each hour: look whether worker and beat run."
    return (State.FAILING, f"the log has no partition {', '.join(missing)}", hint) if missing else None


def _look_at_cache() -> Result:
    # Not through Django's cache, which goes on by itself while its server is away.
    place = settings.CACHES["default"].get("LOCATION")
    if place:
        redis.Redis.from_url(
            str(place), socket_timeout=_TIMEOUT_SECONDS, socket_connect_timeout=_TIMEOUT_SECONDS
        ).ping()
    return None


def _look_at_broker() -> Result:
    with current_app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, timeout=_TIMEOUT_SECONDS)
    return None


def _look_at_mail() -> Result:
    server: Any = get_connection(timeout=_TIMEOUT_SECONDS)
    server.open()
    server.close()
    return None


def _look_at_beat() -> Result:
    hint = "Start `celery -A engagement.celery beat`: silences, retries and upkeep wait for it."
    return None if is_somebody_leading() else (State.FAILING, "none is running", hint)


def _look_at_tasks() -> Result:
    late = find_standstills()
    if not late:
        return None
    says = "; ".join(f"“{one.name}” stands still, {one.since}" for one in late)
    return State.FAILING, says, "Look whether a worker is running, and what it writes."


def _look_at_lag() -> Result:
    seconds = figures.load_lag()["total"]
    hint = "Add workers, or look what holds them up: rules are decided late, and nothing is lost."
    return (
        (State.WARNING, f"the slowest lane is {seconds:.0f} seconds behind", hint) if seconds > _SLOW_SECONDS else None
    )


def _look_at_writers() -> Result:
    hung = count_hung_writers()
    hint = "They hold up all rules. The scan ends those of the platform's own role."
    return (State.FAILING, f"{hung} connections have been writing for half a minute", hint) if hung else None


def _look_at_doubt() -> Result:
    number = load_in_doubt()
    return (
        (State.WARNING, f"{number} wait for a person", "Settle them under Deliveries → In doubt.") if number else None
    )


def _look_at_dead_letters() -> Result:
    number = figures.count_set_aside()
    hint = "Look at them under Set aside, and have them decided again once the cause is gone."
    return (State.WARNING, f"{number} events could not be decided", hint) if number else None


def _look_at_rules() -> Result:
    names = ", ".join(f"“{rule.name}”" for rule in list_broken())
    return (State.FAILING, f"{names} cannot be read, and start nothing", "Open each and save it.") if names else None


def _look_at_destinations() -> Result:
    names = ", ".join(str(one.destination) for one in load_failing(datetime.now(UTC)))
    return (
        (State.WARNING, f"{names} take no copies", "Look at them under Destinations: the log waits.") if names else None
    )


def _look_at_quarantine() -> Result:
    names = ", ".join(list_full(datetime.now(UTC)))
    hint = "Mend what these sources send, or delete from the quarantine: more of theirs is not kept."
    return (State.WARNING, f"full for {names}", hint) if names else None


def _look_at_switch() -> Result:
    stopped = SendingSwitch.objects.filter(is_stopped=True).exists()
    return (State.WARNING, "all sending is stopped", "Turn the switch in the admin.") if stopped else None


def _look_at_settings() -> Result:
    if settings.LOCAL:
        return None
    return _sum_up(checks.run_checks(tags=[checks.Tags.security], include_deployment_checks=True))


def _look_at_disk() -> Result:
    disk = shutil.disk_usage(settings.STATE_DIR if settings.STATE_DIR.is_dir() else settings.BASE_DIR)
    free = disk.free / disk.total
    return (State.WARNING, f"{free:.0%} of this machine's disk are free", "Make room.") if free < _LEAST_FREE else None


def _sum_up(messages: Sequence[checks.CheckMessage]) -> Result:
    if not messages:
        return None
    state = State.FAILING if any(one.level >= checks.ERROR for one in messages) else State.WARNING
    return state, " ".join(str(one.msg) for one in messages), " ".join(str(one.hint) for one in messages if one.hint)


_LOOKS: tuple[tuple[str, str, Callable[[], Result]], ...] = (
    ("database", "", _look_at_database),
    ("database settings", "database", _look_at_server),
    ("migrations", "database", _look_at_migrations),
    ("partitions", "database", _look_at_partitions),
    ("cache", "", _look_at_cache),
    ("broker", "", _look_at_broker),
    ("mail server", "", _look_at_mail),
    ("beat", "database", _look_at_beat),
    ("worker", "cache", _look_at_tasks),
    ("evaluator", "database", _look_at_lag),
    ("writers", "database", _look_at_writers),
    ("deliveries in doubt", "database", _look_at_doubt),
    ("dead letters", "database", _look_at_dead_letters),
    ("rules", "database", _look_at_rules),
    ("destinations", "database", _look_at_destinations),
    ("quarantine", "database", _look_at_quarantine),
    ("sending", "database", _look_at_switch),
    ("settings", "", _look_at_settings),
    ("disk", "", _look_at_disk),
)
