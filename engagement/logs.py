"""One structured line for each thing that happened: ids and reasons, never an address or a payload."""

import logging
import sys
import traceback
from collections import Counter
from typing import Any

import structlog

_SHARED: list[structlog.typing.Processor] = [
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
]


_SPARING = ("django.request", "tracking.api.ingest", "tracking.api.hooks")
"""What says a line for a request, so that whoever sends requests would fill the disk."""
_REPEATING = (
    "celery",
    "kombu",
    "amqp",
    "django_celery_beat",
    "psycopg",
    "engagement",
    "tracking.log.nudge",
    "tracking.valkey",
)
"""What says a line for each try while a service is away: several a second."""
_EACH_SECONDS = 10.0


class Sparing(logging.Filter):
    """Lets a line of a kind pass every ten seconds, with how many were left out. Tracebacks are `SparingRepeated`'s.

    A kind is the logger with the status of the answer, or with the name of the event.
    """

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[tuple[object, ...], float] = {}
        self._left_out: Counter[tuple[object, ...]] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is written."""
        return bool(record.exc_info) or self._pass(record, (record.name, getattr(record, "status_code", _read(record))))

    def _pass(self, record: logging.LogRecord, kind: tuple[object, ...]) -> bool:
        msg: Any = record.msg
        event = _read(record)
        if record.created - self._passed.get(kind, 0.0) < _EACH_SECONDS:
            self._left_out[kind] += 1
            return False
        self._passed[kind] = record.created
        left_out = self._left_out.pop(kind, 0)
        if left_out:
            record.msg = msg | {"left_out": left_out} if event else f"{record.getMessage()} (and {left_out} more)"
            record.args = None
        return True


class SparingRepeated(Sparing):
    """The same for warnings and errors of `_REPEATING`, and for everything with a traceback: a request may cause it.

    A kind is the logger, the text before its values are put in, and the task. Of a traceback it is the type of the
    exception and where it was raised: the text may hold what a client sent.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is written."""
        place = _find_place(record)
        if place is None and (record.levelno < logging.WARNING or not record.name.startswith(_REPEATING)):
            return True
        values: Any = record.args
        fields = values if isinstance(values, dict) else record.msg if isinstance(record.msg, dict) else {}
        text = place or _read(record) or str(record.msg)
        return self._pass(record, (record.name, text, fields.get("task", fields.get("name"))))


def _find_place(record: logging.LogRecord) -> object:
    """The type of a traceback's exception, and the file and line that raised it; None where there is no traceback."""
    text = record.msg.get("exception") if isinstance(record.msg, dict) else None
    kind = None
    if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
        text, kind = "".join(traceback.format_tb(record.exc_info[2])), record.exc_info[0]
    if not isinstance(text, str):
        return None
    return kind, next((line for line in reversed(text.splitlines()) if line.startswith('  File "')), "")


def _read(record: logging.LogRecord) -> object:
    """The name of an event of ours."""
    return record.msg.get("event") if isinstance(record.msg, dict) else None


def configure_logs(level: str) -> None:
    """Send our own lines and those of the libraries to standard error, as logfmt."""
    renderer = structlog.processors.LogfmtRenderer(bool_as_flag=False)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
        )
    )
    handler.addFilter(SparingRepeated())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper() if level.upper() in logging.getLevelNamesMapping() else "INFO")
    if root.level > logging.DEBUG:
        # It says a line for each task that begins or ends, and some begin each second.
        logging.getLogger("celery").setLevel(max(root.level, logging.WARNING))
    sparing = Sparing()
    for name in _SPARING:
        logging.getLogger(name).addFilter(sparing)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
