"""What beat starts, and how often unless an operator re-times it. The admin shows and edits the rows."""

from typing import Any

import msgspec
from django_celery_beat.models import IntervalSchedule, PeriodicTask


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """One recurring task; `every` in seconds."""

    name: str
    task: str
    every: int
    queue: str
    description: str


SCHEDULES = (
    Schedule(
        name="Evaluate what is new",
        task="triggers.tasks.evaluate",
        every=1,
        queue="evaluate",
        description="Decides new events, also where a nudge was lost.",
    ),
    Schedule(
        name="Find silences",
        task="triggers.tasks.scan",
        every=1,
        queue="scan",
        description="Finds sessions that ended, people who went quiet and carts that were left.",
    ),
    Schedule(
        name="Deliver what is due",
        task="triggers.tasks.deliver",
        every=1,
        queue="deliver",
        description="Sends messages whose time has come, retries included.",
    ),
    Schedule(
        name="Copy to destinations",
        task="triggers.tasks.copy",
        every=1,
        queue="copy",
        description="Sends copies of events and activations to other systems.",
    ),
    Schedule(
        name="Count events by hour",
        task="tracking.tasks.count_hours",
        every=60,
        queue="default",
        description="Sums how often each event came, for the list of event types.",
    ),
    Schedule(
        name="Send on from quarantine",
        task="tracking.tasks.send_on",
        every=10,
        queue="default",
        description="Sends again, batch by batch, what somebody chose in the quarantine.",
    ),
    Schedule(
        name="Keep the log",
        task="tracking.tasks.keep_log",
        every=3600,
        queue="default",
        description="Makes partitions ahead and deletes what has served its time.",
    ),
)


def ensure_schedules(**_: Any) -> None:
    """Make the schedules that are lacking; those that an operator re-timed stay."""
    for schedule in SCHEDULES:
        if PeriodicTask.objects.filter(name=schedule.name).exists():
            continue
        interval, _made = IntervalSchedule.objects.get_or_create(every=schedule.every, period=IntervalSchedule.SECONDS)
        PeriodicTask.objects.create(
            name=schedule.name,
            task=schedule.task,
            interval=interval,
            queue=schedule.queue,
            description=schedule.description,
            # A task that nobody fetched in time is worthless: the next one is on its way.
            expire_seconds=max(schedule.every * 3, 10),
        )
