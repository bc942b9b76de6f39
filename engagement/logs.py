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


_EACH = "triggers.deliver.run"
"""Says a line for each attempt at a message, and all of them are written."""
_OF_KIND = ("task", "name", "source_id", "hook_id", "rule_id", "destination_id", "lane")
_EACH_SECONDS = 10.0
_KINDS = 10_000
"""More are forgotten: a library may put values into its text."""


class Sparing(logging.Filter):
    """Lets one warning, error or traceback of a kind pass every ten seconds, with how many were left out.

    Otherwise a flood of requests, or a service that is away, would fill the disk. A kind is the logger, the text
    before its values are put in, the status of the answer, and the task, source or rule. Of a traceback the text is
    the type of the exception and where it was raised: a client may have written the rest.
    """

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[tuple[object, ...], float] = {}
        self._left_out: Counter[tuple[object, ...]] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is written."""
        place = _find_place(record)
        if place is None and (record.levelno < logging.WARNING or record.name == _EACH):
            return True
        msg: Any = record.msg
        values: Any = record.args
        fields = msg if isinstance(msg, dict) else values if isinstance(values, dict) else {}
        event = msg.get("event") if isinstance(msg, dict) else None
        text = place or event or str(msg)
        kind = record.name, text, getattr(record, "status_code", None), *map(fields.get, _OF_KIND)
        if record.created - self._passed.get(kind, 0.0) < _EACH_SECONDS:
            self._left_out[kind] += 1
            return False
        if len(self._passed) > _KINDS:
            self._passed.clear()
        self._passed[kind] = record.created
        left_out = self._left_out.pop(kind, 0)
        if left_out:
            record.msg = msg | {"left_out": left_out} if event else f"{record.getMessage()} (and {left_out} more)"
            record.args = None
        return True


def _find_place(record: logging.LogRecord) -> object:
    """The type of a traceback's exception, and the file and line that raised it; None where there is no traceback."""
    text = record.msg.get("exception") if isinstance(record.msg, dict) else None
    kind = None
    if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
        text, kind = "".join(traceback.format_tb(record.exc_info[2])), record.exc_info[0]
    if not isinstance(text, str):
        return None
    return kind, next((line for line in reversed(text.splitlines()) if line.startswith('  File "')), "")


def configure_logs(level: str) -> None:
    """Send our own lines and those of the libraries to standard error, as logfmt."""
    renderer = structlog.processors.LogfmtRenderer(bool_as_flag=False)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
        )
    )
    handler.addFilter(Sparing())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper() if level.upper() in logging.getLevelNamesMapping() else "INFO")
    if root.level > logging.DEBUG:
        # It says a line for each task that begins or ends, and some begin each second.
        logging.getLogger("celery").setLevel(max(root.level, logging.WARNING))
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
