"""`manage.py doctor` and the dashboard: one list of what is wrong, and what to do."""

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError

from engagement import checks, doctor
from engagement.doctor import State, examine
from engagement.lib.postgres import open_connection
from engagement.schedules import SCHEDULES, ensure_schedules
from tests.admin.conftest import Login
from tests.admin.installation import make_in_doubt
from tests.cast import make_source
from tests.mail_server import MailServer
from tests.tracking.test_database_away import lose_database
from tracking import quarantine
from tracking.log.watchdog import count_hung_writers
from triggers.models import SendingSwitch

pytestmark = pytest.mark.usefixtures("log")


@pytest.fixture
def healthy(log: None, server: MailServer, settings: LazySettings) -> Iterator[None]:
    """An installation with nothing wrong: beat leads, each task has run."""
    settings.LOCAL = True
    ensure_schedules()
    for schedule in SCHEDULES:
        cache.set(f"heartbeat:{schedule.task}", time.time(), 3600)
    with open_connection("test-beat", timeout_ms=60_000) as beat:
        beat.execute("select pg_advisory_lock(%s)", (0x62656174,))
        yield


def find_bad() -> dict[str, str]:
    return {one.name: one.state.value for one in examine() if one.state is not State.OK}


def run_doctor() -> tuple[dict[str, Any], int]:
    out, status = StringIO(), 0
    try:
        call_command("doctor", "--json", stdout=out)
    except CommandError as error:
        status = error.returncode
    return json.loads(out.getvalue()), status


@pytest.mark.usefixtures("healthy")
def test_the_doctor_finds_nothing_where_nothing_is_wrong() -> None:
    said, status = run_doctor()
    assert (find_bad(), said["failing"], status) == ({}, False, 0)
    assert len(said["findings"]) == len(doctor._LOOKS)


def test_it_names_what_is_away_and_what_it_could_not_look_at(settings: LazySettings, tmp_path: Any) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "engagement.shared_cache.SharedCache", "LOCATION": f"unix://{tmp_path}/no"}
    }
    with lose_database(tmp_path):
        said, status = run_doctor()
    states = {one["name"]: one["state"] for one in said["findings"]}
    assert status == 1
    assert {states[name] for name in ("database", "cache")} == {"failing"}
    assert {states[name] for name in ("migrations", "beat", "worker", "rules")} == {"unknown"}
    assert "test_" not in json.dumps(said)


@pytest.mark.usefixtures("healthy")
def test_it_names_what_waits_for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    make_in_doubt()
    make_source("Loud")
    SendingSwitch.objects.create(is_stopped=True)
    monkeypatch.setattr(quarantine, "MAX_PER_HOUR", 0)
    assert find_bad() == {"deliveries in doubt": "warning", "sending": "warning", "quarantine": "warning"}
    assert run_doctor()[1] == 0


@pytest.mark.usefixtures("healthy")
def test_it_names_workers_and_a_beat_that_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.delete("heartbeat:triggers.tasks.scan")
    monkeypatch.setattr("engagement.beat._LOCK", 7)
    assert find_bad() == {"worker": "failing", "beat": "failing"}


@pytest.mark.usefixtures("healthy")
def test_it_names_writers_that_hang() -> None:
    with open_connection("test-writer", timeout_ms=60_000) as writer, writer.transaction():
        writer.execute("select log_register()")
        assert count_hung_writers(timedelta(0)) == 1
    assert count_hung_writers() == 0


@pytest.mark.usefixtures("healthy")
def test_the_dashboard_shows_what_the_doctor_finds(login: Login, server: MailServer) -> None:
    server.stop()
    page = login("Operator").get("/admin/").content.decode()
    assert "Mail server: cannot be reached" in page


def test_the_server_is_looked_at_by_check_deploy_and_before_migrating(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "LEAST_LOCKS", 100_000)
    for command, options in (("check", {"deploy": True}), ("migrate", {"skip_checks": False, "verbosity": 0})):
        with pytest.raises(SystemCheckError) as refused:
            call_command(command, **options, stdout=StringIO(), stderr=StringIO())
        assert str(refused.value).count("engagement.E007") == 1


def test_a_database_that_is_away_is_an_error_of_check_deploy(tmp_path: Any) -> None:
    with lose_database(tmp_path), pytest.raises(SystemCheckError, match=r"engagement\.E011"):
        call_command("check", deploy=True, stdout=StringIO(), stderr=StringIO())
