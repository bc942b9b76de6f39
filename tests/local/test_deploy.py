"""The files in `deploy` start what there is, with the variables that there are."""

import re
from pathlib import Path

import pytest

from engagement.local.state import PROJECT
from engagement.schedules import SCHEDULES

UNITS = sorted((PROJECT / "deploy" / "systemd").glob("*.service"))


def read_command(unit: Path) -> str:
    found = re.search(r"^ExecStart=/opt/engagement/\.venv/bin/(.*)$", unit.read_text(), re.MULTILINE)
    assert found is not None, unit
    return found[1]


def test_the_worker_fetches_from_every_queue() -> None:
    command = read_command(PROJECT / "deploy" / "systemd" / "engagement-worker.service")
    listed = re.search(r"-Q (\S+)", command)
    assert listed is not None
    assert set(listed[1].split(",")) == {schedule.queue for schedule in SCHEDULES}


@pytest.mark.parametrize("unit", UNITS, ids=[unit.stem for unit in UNITS])
def test_whatever_ends_is_started_again_for_ever(unit: Path) -> None:
    said = unit.read_text()
    for line in ("Restart=always", "StartLimitIntervalSec=0", "User=engagement", "NoNewPrivileges=true"):
        assert f"\n{line}\n" in said
    assert read_command(unit).startswith(("python -m engagement.web ", "celery -A engagement.celery "))


def test_the_example_sets_only_variables_that_the_readme_tells_of() -> None:
    example, readme = (PROJECT / "deploy/systemd/environment.example").read_text(), (PROJECT / "README.md").read_text()
    names = re.findall(r"^(\w+)=", example, re.MULTILINE)
    assert len(names) > 10
    assert [name for name in names if f"`{name}`" not in readme] == []
