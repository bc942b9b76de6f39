"""When each key was last used: noted in this process, and written now and then by a thread of its own."""

import threading
import time
from datetime import datetime

import structlog
from django.db import connection
from django.db.models import Q

from tracking.models import SourceKey

FLUSH_SECONDS = 10.0

log = structlog.get_logger()

_used: dict[int, datetime] = {}
_starting = threading.Lock()
_writing = threading.Lock()
_thread: threading.Thread | None = None


def note_use(key_id: int, now: datetime) -> None:
    """Note that a key was used: a dictionary's entry, and no look at the database."""
    _used[key_id] = now
    if _thread is None:
        _start()


def flush_uses() -> None:
    """Write what was noted until now. A later moment that another process has written stays."""
    with _writing:
        while _used:
            key_id, moment = _used.popitem()
            SourceKey.objects.filter(Q(last_used_at=None) | Q(last_used_at__lt=moment), pk=key_id).update(
                last_used_at=moment
            )


def _start() -> None:
    global _thread
    with _starting:
        if _thread is None:
            _thread = threading.Thread(target=_run, name="key-use", daemon=True)
            _thread.start()


def _run() -> None:
    while True:
        time.sleep(FLUSH_SECONDS)
        try:
            flush_uses()
        except Exception as error:
            # Nothing hangs on it: the next use is noted again.
            log.warning("key_use_not_written", error=str(error))
        finally:
            connection.close()
