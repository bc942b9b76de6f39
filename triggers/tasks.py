"""The edges where Celery meets the stages. Every task is safe twice, and losing one only delays."""

from typing import Any

from celery import shared_task
from celery.utils.log import get_task_logger

from tracking.log.horizon import record_tick
from tracking.log.nudge import send_nudge
from tracking.registry import get_registry
from triggers.detect.scan_silence import scan_silence
from triggers.detect.scan_timers import scan_timers
from triggers.worker import get_worker

logger = get_task_logger(__name__)

_OPTIONS: dict[str, Any] = {"ignore_result": True, "acks_late": True, "time_limit": 120, "soft_time_limit": 100}


@shared_task(queue="evaluate", **_OPTIONS)
def evaluate() -> None:
    """Decide what is new in the log. Woken by nudges and, each second, by beat."""
    report = get_worker().evaluator.run_pass()
    if report.is_behind:
        send_nudge()


@shared_task(queue="scan", **_OPTIONS)
def tick() -> None:
    """Store a moment and the log's sequence: what the horizon is made of."""
    record_tick(get_worker().connection)


@shared_task(queue="scan", **_OPTIONS)
def scan_silences() -> None:
    """Find sessions that ended and people who went quiet."""
    worker = get_worker()
    if scan_silence(worker.connection, worker.book, get_registry()):
        send_nudge()


@shared_task(queue="scan", **_OPTIONS)
def scan_waits() -> None:
    """Find waits that are over: carts that were left."""
    worker = get_worker()
    if scan_timers(worker.connection, worker.book):
        send_nudge()
