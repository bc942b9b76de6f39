"""Waking the evaluator after a commit, without ever holding up who committed.

A nudge carries no event: losing one, or the broker, delays until the next sweep and loses nothing. Many nudges make
one task: a flag in the cache, which the task clears before it looks, says that one is on its way.
"""

import threading
import time
from typing import Any

from celery import current_app
from django.core.cache import cache
from structlog import get_logger

TASK = "triggers.tasks.evaluate"
FLAG = "evaluate-nudged"
FLAG_SECONDS = 1
PAUSE_SECONDS = 0.01
"""Between two nudges of a process: to ask the cache at each of hundreds of commits a second is a tenth of its work."""

log = get_logger()


class Nudger:
    """A thread that sends nudges. `nudge` only sets an event: nothing queues up behind a broker that hangs."""

    def __init__(self) -> None:
        self._is_wanted = threading.Event()
        self._is_closed = False
        threading.Thread(target=self._run, name="nudger", daemon=True).start()

    def nudge(self) -> None:
        """Ask for a pass of the evaluator, soon."""
        self._is_wanted.set()

    def close(self) -> None:
        """End the thread, and with it its connection to the cache. Who hangs on the broker is not waited for."""
        self._is_closed = True
        self._is_wanted.set()

    def _run(self) -> None:
        while True:
            self._is_wanted.wait()
            self._is_wanted.clear()
            if self._is_closed:
                return
            send_nudge()
            time.sleep(PAUSE_SECONDS)


def send_nudge() -> None:
    """Send the evaluator's task, unless one is on its way."""
    if cache.add(FLAG, 1, timeout=FLAG_SECONDS):
        send_soon(TASK, "evaluate")


def clear_nudge() -> None:
    """Say that the nudge arrived: called before the evaluator looks how far the log goes."""
    cache.delete(FLAG)


def send_soon(task: str, queue: str, *args: Any, **options: Any) -> None:
    """Send a task that beat would start anyway, a little later: what fails ends neither a thread nor a task."""
    try:
        current_app.send_task(task, args, queue=queue, retry=False, ignore_result=True, **options)
    except Exception as error:
        log.warning("nudge_failed", task=task, error=str(error))
