"""The Celery application: short tasks, one for each batch, that may be lost without loss."""

import os
import time
from typing import Any

from celery import Celery
from celery.signals import setup_logging, task_postrun, task_prerun, worker_init
from django.core.cache import cache
from kombu import Connection
from kombu.transport import redis as redis_transport
from structlog import get_logger

from engagement.lib.interpreter import tune_interpreter

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "engagement.settings")


class PatientConnection(Connection):
    """A connection that worker and beat try to open again each second, however long the broker has been away."""

    def ensure_connection(self, *args: Any, **options: Any) -> Any:
        """Open the connection; without this, the pause between two tries grows to half a minute."""
        return super().ensure_connection(*args, **({"interval_start": 1, "interval_step": 0} | options))


app = Celery("engagement")
app.amqp.Connection = PatientConnection
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_default_queue="default",
    task_ignore_result=True,
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    # After a lost connection a task's thread would ask RabbitMQ for more, and read from the connection that the main
    # thread reads: which then waits for ever for the rest of what the other has taken.
    worker_enable_prefetch_count_reduction=False,
    accept_content=["json"],
    task_serializer="json",
    timezone="UTC",
    beat_scheduler="engagement.beat.LeaderScheduler",
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_connection_timeout=2,
    broker_transport_options={"socket_timeout": 5, "socket_connect_timeout": 2, "visibility_timeout": 600},
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    worker_send_task_events=False,
)
app.autodiscover_tasks(["tracking", "triggers"])

HEARTBEAT_SECONDS = 86_400

log = get_logger()


class SurvivingQoS(redis_transport.QoS):
    """The tasks that a channel of Redis or Valkey has fetched and not acknowledged.

    kombu hands them back when it closes a channel, and acknowledges them when they end, also where the connection is
    what broke: both raise, and the worker would end. The broker itself hands out again what is not acknowledged, every
    task is safe twice, and beat sends again what is lost.
    """

    def restore_unacked(self, client: Any = None) -> None:
        """Hand back what can be handed back."""
        try:
            super().restore_unacked(client)
        except Exception as error:
            delivered: dict[str, Any] = self._delivered or {}
            log.warning("tasks_not_handed_back", tasks=len(delivered), error=str(error))
            delivered.clear()

    def ack(self, delivery_tag: str) -> None:
        """Say that a task is done, unless its channel is gone."""
        if not self.channel.closed:
            super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Give a task back, unless its channel is gone."""
        if not self.channel.closed:
            super().reject(delivery_tag, requeue)


redis_transport.Channel.QoS = SurvivingQoS


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


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Who answers this signal keeps celery from setting levels of its own: LOG_LEVEL holds here too."""


@worker_init.connect
def calm_worker(**_: Any) -> None:
    """Before the pool starts: its processes inherit it."""
    tune_interpreter()
