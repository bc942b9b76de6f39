"""The edges where Celery meets the stages. Every task is safe twice, and losing one only delays."""

from typing import Any

from celery import shared_task
from django.core.cache import cache

from tracking.log.horizon import record_tick
from tracking.log.nudge import send_nudge, send_soon
from tracking.log.watchdog import end_hung_writers
from tracking.registry import get_registry
from triggers.deliver.run import LIMIT, deliver_due
from triggers.detect.scan_silence import scan_silence
from triggers.detect.scan_timers import scan_timers
from triggers.forward.run import find_due, forget_gone, run_pass
from triggers.worker import get_worker

DELIVER_FLAG = "deliver-nudged"
COPY_EXPIRES = 10

_OPTIONS: dict[str, Any] = {"ignore_result": True, "acks_late": True, "time_limit": 120, "soft_time_limit": 100}


@shared_task(queue="evaluate", **_OPTIONS)
def evaluate() -> None:
    """Decide what is new in the log. Woken by nudges and, each second, by beat."""
    report = get_worker().evaluator.run_pass()
    if (report.deliveries or report.woken) and cache.add(DELIVER_FLAG, 1, timeout=1):
        send_soon(deliver.name, "deliver")
    if report.is_behind:
        send_nudge()


@shared_task(queue="scan", **_OPTIONS)
def scan() -> None:
    """Find what became of silence: sessions that ended, people who went quiet, waits that are over.

    First a tick: with nothing waiting to be decided, the horizon is then this very moment.
    """
    worker = get_worker()
    end_hung_writers(worker.connection)
    record_tick(worker.connection)
    written = scan_silence(worker.connection, worker.book, get_registry())
    if scan_timers(worker.connection, worker.book) + written:
        send_nudge()


@shared_task(queue="deliver", **_OPTIONS)
def deliver() -> None:
    """Send what is due. A full batch means that there is more."""
    cache.delete(DELIVER_FLAG)
    if deliver_due(get_worker().connection, get_registry(), limit=LIMIT).claimed == LIMIT:
        send_soon(deliver.name, "deliver")


@shared_task(queue="copy", **_OPTIONS)
def copy() -> None:
    """Start a pass for every destination that has something new."""
    connection = get_worker().connection
    forget_gone(connection)
    for destination_id in find_due(connection):
        send_soon(copy_to.name, "copy", destination_id, expires=COPY_EXPIRES)


@shared_task(queue="copy", **_OPTIONS)
def copy_to(destination_id: int) -> None:
    """Tell a destination what is new."""
    run_pass(get_worker().connection, destination_id)
