"""The edges where Celery meets the upkeep of the log."""

from celery import shared_task

from tracking.log import upkeep


@shared_task(queue="default", ignore_result=True, time_limit=600)
def keep_log() -> None:
    """Make partitions ahead, delete what has served its time. Safe twice."""
    upkeep.keep_log()
