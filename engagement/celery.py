"""The Celery application: short tasks, one for each batch, that may be lost without loss."""

import os
import time
from typing import Any

from celery import Celery
from celery.signals import task_postrun, task_prerun, worker_init
from django.core.cache import cache

from engagement.lib.interpreter import tune_interpreter

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "engagement.settings")

app = Celery("engagement")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_default_queue="default",
    task_ignore_result=True,
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    accept_content=["json"],
    task_serializer="json",
    timezone="UTC",
    beat_scheduler="engagement.beat.LeaderScheduler",
    broker_connection_retry_on_startup=True,
    broker_connection_timeout=2,
    broker_transport_options={"socket_timeout": 5, "socket_connect_timeout": 2, "visibility_timeout": 600},
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    worker_send_task_events=False,
)
app.autodiscover_tasks(["tracking", "triggers"])

HEARTBEAT_SECONDS = 86_400


@task_prerun.connect
def note_start(task: Any = None, **_: Any) -> None:
    """Let beat send the next message."""
    # Imported here because beat's models cannot be before the apps are ready.
    from engagement.beat import note_fetched

    if task is not None:
        note_fetched(task.name)


@task_postrun.connect
def note_heartbeat(task: Any = None, state: str | None = None, **_: Any) -> None:
    """Remember when each task last succeeded: what the dashboard's warning looks at."""
    if task is not None and state == "SUCCESS":
        cache.set(f"heartbeat:{task.name}", time.time(), HEARTBEAT_SECONDS)


@worker_init.connect
def calm_worker(**_: Any) -> None:
    """Before the pool starts: its processes inherit it."""
    tune_interpreter()
