"""The appender of this process, started when it is first needed and again after a fork."""

import os
import threading

from tracking.log.append import Appender
from tracking.log.nudge import Nudger

_lock = threading.Lock()
_appender: Appender | None = None
_nudger: Nudger | None = None
_owner: int | None = None


def get_appender() -> Appender:
    """Return the appender of this process."""
    global _appender, _nudger, _owner
    if _appender is None or _owner != os.getpid():
        with _lock:
            if _appender is None or _owner != os.getpid():
                _nudger = Nudger()
                _appender, _owner = Appender(_nudger.nudge), os.getpid()
    return _appender


def close_appender() -> None:
    """Write what has gathered and forget the appender: before the database goes away."""
    global _appender
    with _lock:
        if _appender is not None and _owner == os.getpid():
            _appender.close()
            if _nudger is not None:
                _nudger.close()
        _appender = None
