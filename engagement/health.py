"""Is everything alive? Probes for balancers, and recurring tasks for the banner that an operator sees."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from http import HTTPStatus

import msgspec
from django.core.cache import cache
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django_celery_beat.models import PeriodicTask

from engagement.schedules import SCHEDULES
from tracking.log.partitions import list_missing_partitions

INTERVALS_LATE = 3
_EVENTS_AHEAD = timedelta(days=1)
"""So far ahead of our clock an event's id may lie."""


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """When a recurring task last succeeded. `is_late`: three of its intervals have passed since."""

    name: str
    task: str
    every: float
    last_ran_at: datetime | None
    is_late: bool


def load_liveness() -> list[Pulse]:
    """Return the pulse of every built-in schedule, the way an operator has timed it."""
    intervals = {
        row.name: row.interval.schedule.run_every.total_seconds()
        for row in PeriodicTask.objects.select_related("interval").filter(interval__isnull=False)
    }
    now = time.time()
    pulses = []
    for schedule in SCHEDULES:
        every = intervals.get(schedule.name, schedule.every)
        beat = _read_heartbeat(schedule.task)
        patience = max(INTERVALS_LATE * every, 10)
        pulses.append(
            Pulse(
                name=schedule.name,
                task=schedule.task,
                every=every,
                last_ran_at=datetime.fromtimestamp(beat, UTC) if beat else None,
                is_late=beat is None or now - beat > patience,
            )
        )
    return pulses


def _read_heartbeat(task: str) -> float | None:
    """Without a cache nobody knows when a task ran: then it is late, and the banner says so."""
    beat: float | None = cache.get(f"heartbeat:{task}")
    return beat


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a probe."""

    status: int
    content_type: str
    body: bytes


class ProbeMiddleware:
    """Answers probes before all other middleware: a balancer asks by IP address and by plain http."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a probe, or hand the request on."""
        check = PROBES.get(request.path)
        if check is None:
            return self._get_response(request)
        probe = check()
        return HttpResponse(probe.body, status=probe.status, content_type=probe.content_type)


def check_health() -> Probe:
    """The process is up."""
    return Probe(status=HTTPStatus.OK, content_type="text/plain", body=b"ok")


def check_readiness() -> Probe:
    """The process can take events: the database is reachable and migrated, and the log has room for now.

    The broker is not asked: events are stored without it, and decided once it is back.
    """
    checks = {
        "database": _run_check(_check_database),
        "migrations": _run_check(_check_migrations),
        "partitions": _run_check(_check_partitions),
    }
    is_ready = all(problem is None for problem in checks.values())
    body = {"ready": is_ready, "checks": {name: problem or "ok" for name, problem in checks.items()}}
    status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
    return Probe(status=status, content_type="application/json", body=msgspec.json.encode(body))


PROBES: dict[str, Callable[[], Probe]] = {"/healthz": check_health, "/readyz": check_readiness}


def _run_check(check: Callable[[], str | None]) -> str | None:
    try:
        return check()
    except Exception as error:
        return type(error).__name__


def _check_database() -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("select 1")
    return None


def count_missing_migrations() -> int:
    """Return how many migrations of this version of the code the database does not have."""
    applied = MigrationRecorder(connection).applied_migrations()
    return sum(1 for name in _list_migrations() if name not in applied)


def _check_migrations() -> str | None:
    waiting = count_missing_migrations()
    return f"{waiting} migrations are not applied" if waiting else None


@lru_cache(maxsize=1)
def _list_migrations() -> frozenset[tuple[str, str]]:
    """Return what this version of the code brings; it does not change while the process runs."""
    return frozenset(MigrationLoader(None).graph.nodes)


def _check_partitions() -> str | None:
    now = datetime.now(UTC)
    missing = list_missing_partitions(now, now + _EVENTS_AHEAD)
    return f"the log has no partition {', '.join(missing)}" if missing else None
