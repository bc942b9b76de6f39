"""Is everything alive? For balancers, and for the banner that an operator sees."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
from celery import current_app
from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django_celery_beat.models import PeriodicTask

from engagement.schedules import SCHEDULES
from tracking.log.partitions import find_last_covered_moment

INTERVALS_LATE = 3
PARTITIONS_AHEAD = timedelta(days=7)


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
    try:
        beat: float | None = cache.get(f"heartbeat:{task}")
    except Exception:
        return None
    return beat


def healthz(request: HttpRequest) -> HttpResponse:
    """The process is up."""
    return HttpResponse("ok", content_type="text/plain")


def readyz(request: HttpRequest) -> JsonResponse:
    """The process can do its work: database, broker, migrations, partitions ahead."""
    checks = {
        "database": _can(_check_database),
        "migrations": _can(_check_migrations),
        "partitions": _can(_check_partitions),
        "broker": _can(_check_broker),
    }
    is_ready = all(problem is None for problem in checks.values())
    body = {"ready": is_ready, "checks": {name: problem or "ok" for name, problem in checks.items()}}
    return JsonResponse(body, status=200 if is_ready else 503)


def _can(check: Callable[[], str | None]) -> str | None:
    try:
        return check()
    except Exception as error:
        return type(error).__name__


def _check_database() -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("select 1")
    return None


def _check_migrations() -> str | None:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"{len(waiting)} migrations are not applied" if waiting else None


def _check_partitions() -> str | None:
    covered = find_last_covered_moment()
    if covered is None or covered < datetime.now(UTC) + PARTITIONS_AHEAD:
        return "the log's partitions end within a week"
    return None


def _check_broker() -> str | None:
    with current_app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, timeout=2)
    return None
