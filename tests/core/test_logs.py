"""What is written of a flood: enough to know of it, too little to fill a disk."""

import logging
from collections.abc import Iterator

import pytest
import structlog
from django.test import Client

from engagement.logs import Sparing, SparingRepeated, configure_logs


class Heard(logging.Handler):
    """Keeps the lines it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def heard() -> Iterator[Heard]:
    logger, handler, sparing = logging.getLogger("sparing"), Heard(), Sparing()
    logger.addHandler(handler)
    logger.addFilter(sparing)
    yield handler
    logger.removeHandler(handler)
    logger.removeFilter(sparing)


def refuse(status: int, at: float) -> None:
    """Say so as Django does."""
    logger = logging.getLogger("sparing")
    fields = {"status_code": status, "created": at}
    record = logging.makeLogRecord({"name": "sparing", "levelno": logging.WARNING, "msg": "%s: %s"} | fields)
    record.args = ("Refused", f"/{status}")
    logger.handle(record)


def test_of_many_lines_of_a_kind_one_passes_and_the_next_says_how_many_did_not(heard: Heard) -> None:
    for number in range(100):
        refuse(401, 1000 + number / 100)
    refuse(429, 1001)
    refuse(401, 1010)
    assert heard.lines == ["Refused: /401", "Refused: /429", "Refused: /401 (and 99 more)"]


def test_events_are_kinds_and_tracebacks_always_pass(heard: Heard) -> None:
    logger = logging.getLogger("sparing")
    for event in ("away", "away", "back"):
        logger.warning({"event": event})
    for _ in range(2):
        try:
            raise ValueError
        except ValueError:
            logger.exception("broken")
    assert heard.lines == ["{'event': 'away'}", "{'event': 'back'}", "broken", "broken"]


def test_of_an_outage_that_each_task_meets_one_traceback_a_kind_passes() -> None:
    sparing = SparingRepeated()

    def fail(task: str, error: type[Exception], at: float) -> bool:
        failed = (error, error(), None)
        fields = {
            "levelno": logging.ERROR,
            "msg": "Task %(name)s: %(exc)s",
            "args": {"name": task, "exc": ""},
            "exc_info": failed,
        }
        return sparing.filter(logging.makeLogRecord({"name": "celery.app.trace", "created": at} | fields))

    assert [fail("scan", OSError, 1000 + second) for second in range(12)] == [True] + [False] * 9 + [True, False]
    assert fail("copy", OSError, 1001)
    assert fail("scan", ValueError, 1001)


@pytest.fixture
def ours() -> Iterator[Heard]:
    handler = Heard()
    handler.addFilter(SparingRepeated())
    root = logging.getLogger()
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)


def test_a_traceback_that_each_request_causes_is_written_once_in_ten_seconds(ours: Heard) -> None:
    for number in range(20):
        Client().get("/", headers={"host": f"evil-{number}.example"})
    assert [line for line in ours.lines if "HTTP_HOST" in line] == [line for line in ours.lines if "evil-0" in line]


def test_two_faults_of_our_own_are_both_written_and_neither_floods(ours: Heard) -> None:
    log = structlog.get_logger("tests.faults")
    for _ in range(5):
        try:
            raise ValueError
        except ValueError:
            log.exception("ingest_failed")
        try:
            raise KeyError
        except KeyError:
            log.exception("ingest_failed")
    assert len([line for line in ours.lines if "ingest_failed" in line]) == 2


def test_a_level_holds_for_our_lines_and_celery_says_none_for_each_task() -> None:
    root, celery = logging.getLogger(), logging.getLogger("celery")
    before = root.handlers, root.level, celery.level
    try:
        configure_logs("info")
        assert (root.level, logging.getLogger("celery.app.trace").getEffectiveLevel()) == (
            logging.INFO,
            logging.WARNING,
        )
        configure_logs("error")
        assert logging.getLogger("celery.app.trace").getEffectiveLevel() == logging.ERROR
    finally:
        root.handlers = before[0]
        root.setLevel(before[1])
        celery.setLevel(before[2])


def test_the_lines_of_refused_requests_are_spared() -> None:
    for name in ("django.request", "tracking.api.ingest", "tracking.api.hooks"):
        assert any(isinstance(one, Sparing) for one in logging.getLogger(name).filters)
