"""What is written of a flood: enough to know of it, too little to fill a disk."""

import logging
from collections.abc import Iterator

import pytest

from engagement.logs import Sparing


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


def test_the_lines_of_refused_requests_are_spared() -> None:
    for name in ("django.request", "tracking.api.ingest", "tracking.api.hooks"):
        assert any(isinstance(one, Sparing) for one in logging.getLogger(name).filters)
