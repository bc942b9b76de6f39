"""One structured line for each thing that happened: ids and reasons, never an address or a payload."""

import logging
import sys
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
_EACH_SECONDS = 10.0


class Sparing(logging.Filter):
    """Lets a line of a kind pass every ten seconds, with how many were left out; all that hold a traceback pass.

    A kind is the logger with the status of the answer, or with the name of the event.
    """

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[tuple[str, object], float] = {}
        self._left_out: Counter[tuple[str, object]] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is written."""
        if record.exc_info:
            return True
        msg: Any = record.msg
        event = msg.get("event") if isinstance(msg, dict) else None
        kind = (record.name, getattr(record, "status_code", event))
        if record.created - self._passed.get(kind, 0.0) < _EACH_SECONDS:
            self._left_out[kind] += 1
            return False
        self._passed[kind] = record.created
        left_out = self._left_out.pop(kind, 0)
        if left_out:
            record.msg = msg | {"left_out": left_out} if event else f"{record.getMessage()} (and {left_out} more)"
            record.args = None
        return True


def configure_logs(level: str) -> None:
    """Send our own lines and those of the libraries to standard error, as logfmt."""
    renderer = structlog.processors.LogfmtRenderer(bool_as_flag=False)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper() if level.upper() in logging.getLevelNamesMapping() else "INFO")
    sparing = Sparing()
    for name in _SPARING:
        logging.getLogger(name).addFilter(sparing)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
