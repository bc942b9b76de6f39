"""The edges where Celery meets the upkeep of the log."""

from datetime import UTC, datetime

from celery import shared_task

from tracking.again import delete_old, run_resendings
from tracking.hours import sum_hours
from tracking.intake import open_intake
from tracking.log import upkeep
from tracking.sampling import trim_samples

_SENDING_SECONDS = 8.0


@shared_task(queue="default", ignore_result=True, time_limit=600)
def keep_log() -> None:
    """Make partitions ahead, delete what has served its time. Safe twice."""
    upkeep.keep_log()
    trim_samples()
    delete_old(datetime.now(UTC))


@shared_task(queue="default", ignore_result=True, time_limit=120)
def count_hours() -> None:
    """Sum the counts by hour. Safe twice."""
    sum_hours(datetime.now(UTC))


@shared_task(queue="default", ignore_result=True, time_limit=120)
def send_on() -> None:
    """Go on with sending again what was quarantined. Woken when it is begun and, each ten seconds, by beat."""
    run_resendings(open_intake(), _SENDING_SECONDS)
