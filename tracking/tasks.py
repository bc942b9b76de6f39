"""The edges where Celery meets the upkeep of the log."""

from datetime import UTC, datetime

from celery import shared_task

from tracking.hours import sum_hours
from tracking.log import upkeep
from tracking.sampling import trim_samples


@shared_task(queue="default", ignore_result=True, time_limit=600)
def keep_log() -> None:
    """Make partitions ahead, delete what has served its time. Safe twice."""
    upkeep.keep_log()
    trim_samples()


@shared_task(queue="default", ignore_result=True, time_limit=120)
def count_hours() -> None:
    """Sum the counts by hour. Safe twice."""
    sum_hours(datetime.now(UTC))
