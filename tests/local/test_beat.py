"""Two beats start nothing twice, and one takes over from the other."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask

import engagement.beat
from engagement.beat import LeaderScheduler, note_fetched
from engagement.celery import app
from engagement.schedules import SCHEDULES, ensure_schedules
from tests.live import wait_for

pytestmark = [pytest.mark.usefixtures("log"), pytest.mark.slow]


class Beat(LeaderScheduler):
    """A beat that notes what it starts instead of sending it."""

    def __init__(self, started: list[str]) -> None:
        self.started = started
        super().__init__(app=app, lazy=False)

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **options: Any) -> None:
        """Note a start."""
        self.reserve(entry) if advance else None
        self.started.append(f"{entry.name} {entry.last_run_at}")

    def work(self) -> None:
        """Do as a worker that fetches whatever has been sent."""
        for schedule in SCHEDULES:
            note_fetched(schedule.task)

    def leave(self) -> None:
        """Die: the connection, and with it the lock, is gone."""
        if self._connection is not None:
            self._connection.close()
        self._finalize.cancel()


@pytest.fixture
def beats(log: None) -> Iterator[tuple[Beat, Beat]]:
    # As a new installation has them: none is due yet but those of every second.
    PeriodicTask.objects.all().delete()
    ensure_schedules()
    pair = Beat([]), Beat([])
    yield pair
    for beat in pair:
        beat.leave()


def test_two_beats_start_nothing_twice_and_one_takes_over(beats: tuple[Beat, Beat]) -> None:
    first, second = beats

    def both() -> int:
        first.tick()
        second.tick()
        first.work()
        return len(first.started)

    wait_for(lambda: both() > len(SCHEDULES))
    assert second.started == []
    first.leave()
    second.work()
    wait_for(lambda: second.tick() is not None and second.started)


def test_messages_do_not_pile_up_while_no_worker_fetches_them(
    beats: tuple[Beat, Beat], monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow this machine is, none of them counts as lost meanwhile.
    monkeypatch.setattr(engagement.beat, "_WAITING_SECONDS", 600)
    beat, _ = beats
    frequent = tuple(schedule.name for schedule in SCHEDULES if schedule.every == 1)

    def started() -> int:
        beat.tick()
        return sum(entry.startswith(frequent) for entry in beat.started)

    wait_for(lambda: started() == len(frequent))
    for _ in range(4):
        time.sleep(0.6)
        assert started() == len(frequent)

    beat.work()
    wait_for(lambda: started() > len(frequent))


def test_a_schedule_that_an_operator_re_timed_stays(log: None) -> None:
    ensure_schedules()
    task = PeriodicTask.objects.get(name=SCHEDULES[0].name)
    task.interval = IntervalSchedule.objects.create(every=7, period=IntervalSchedule.SECONDS)
    task.save()

    ensure_schedules()

    task.refresh_from_db()
    assert task.interval is not None
    assert task.interval.every == 7
