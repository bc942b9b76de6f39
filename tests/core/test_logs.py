"""What is written of a flood: enough to know of it, too little to fill a disk."""

import logging
from collections.abc import Iterator

import pytest
import structlog
from django.test import Client

from engagement.logs import Sparing, configure_logs


class Heard(logging.Handler):
    """Keeps the lines it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def heard() -> Iterator[Heard]:
    handler = Heard()
    handler.addFilter(Sparing())
    root = logging.getLogger()
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)


def refuse(status: int, at: float) -> None:
    """Say so as Django does."""
    logger = logging.getLogger("django.request")
    fields = {"status_code": status, "created": at}
    record = logging.makeLogRecord({"name": logger.name, "levelno": logging.WARNING, "msg": "%s: %s"} | fields)
    record.args = ("Refused", f"/{status}")
    logger.handle(record)


def test_of_many_lines_of_a_kind_one_passes_and_the_next_says_how_many_did_not(heard: Heard) -> None:
    for number in range(100):
        refuse(401, 1000 + number / 100)
    refuse(429, 1001)
    refuse(401, 1010)
    assert heard.lines == ["Refused: /401", "Refused: /429", "Refused: /401 (and 99 more)"]


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("tracking.api.async_shell", "intake_unavailable"),
        ("tracking.api.errors", "api_unavailable"),
        ("tracking.quarantine", "quarantine_full"),
        ("tracking.log.nudge", "nudge_failed"),
        ("engagement.beat", "task_not_sent"),
    ],
)
def test_a_line_of_ours_is_written_once_for_each_source_or_task(heard: Heard, name: str, event: str) -> None:
    log = structlog.get_logger(name)
    for number in range(20):
        log.error(event, source_id=1, problem=str(number))
        log.error(event, source_id=2, problem=str(number))
    assert len([line for line in heard.lines if event in line]) == 2


def test_forms_without_a_token_are_one_line(heard: Heard) -> None:
    for _ in range(20):
        assert Client(enforce_csrf_checks=True).post("/admin/login/").status_code == 403
    assert len([line for line in heard.lines if "CSRF" in line]) == 1


def test_each_attempt_at_a_message_is_a_line(heard: Heard) -> None:
    for number in range(20):
        structlog.get_logger("triggers.deliver.run").warning("delivery", message_id=number)
    assert len([line for line in heard.lines if "delivery" in line]) == 20


def test_of_an_outage_that_each_task_meets_one_traceback_a_kind_passes() -> None:
    sparing = Sparing()

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


def test_a_traceback_that_each_request_causes_is_written_once_in_ten_seconds(heard: Heard) -> None:
    for number in range(20):
        Client().get("/", headers={"host": f"evil-{number}.example"})
    assert [line for line in heard.lines if "HTTP_HOST" in line] == [line for line in heard.lines if "evil-0" in line]


def test_two_faults_of_our_own_are_both_written_and_neither_floods(heard: Heard) -> None:
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
    assert len([line for line in heard.lines if "ingest_failed" in line]) == 2


def test_a_level_holds_for_our_lines_and_celery_says_none_for_each_task() -> None:
    root, celery = logging.getLogger(), logging.getLogger("celery")
    before = root.handlers, root.level, celery.level
    try:
        configure_logs("info")
        assert (root.level, logging.getLogger("celery.app.trace").getEffectiveLevel()) == (
            logging.INFO,
            logging.WARNING,
        )
        assert any(isinstance(one, Sparing) for one in root.handlers[0].filters)
        configure_logs("error")
        assert logging.getLogger("celery.app.trace").getEffectiveLevel() == logging.ERROR
    finally:
        root.handlers = before[0]
        root.setLevel(before[1])
        celery.setLevel(before[2])
