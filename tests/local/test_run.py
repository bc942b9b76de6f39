"""`make run` as a person meets it: one command starts all, one key stops all, nothing is left behind."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from engagement.local.state import PROJECT
from tests.live import LivePlatform, list_family, make_environment, start_platform, wait_for

pytestmark = pytest.mark.xdist_group("live")


def is_alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def run_briefly(**settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "engagement.local"],
        cwd=PROJECT,
        env=make_environment(**settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_kill_of_the_supervisor_leaves_no_process_and_all_data(tmp_path: Path) -> None:
    state = Path(f"/tmp/live-kill-{os.getpid()}")
    first = start_platform(state)
    first.manage("source", "add", "Survivor")
    family = [pid for pid, _ in list_family(first.process.pid)]

    first.process.kill()
    first.process.wait()

    wait_for(lambda: not [pid for pid in family if is_alive(pid)])
    # A shell that starts something in the background has it ignore this signal: it must end it all the same.
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    second = start_platform(state)
    signal.signal(signal.SIGINT, usual)
    with second.connect() as connection:
        assert connection.execute("select count(*) from tracking_source where name = 'Survivor'").fetchone() == (1,)
    family = [pid for pid, _ in list_family(second.process.pid)]
    second.process.send_signal(signal.SIGINT)
    assert second.process.wait(120) == 0
    wait_for(lambda: not [pid for pid in family if is_alive(pid)])
    second.stop()


def test_the_tests_of_a_group_share_what_runs(request: pytest.FixtureRequest) -> None:
    # A group that is none costs minutes, and nothing else tells: each process starts platforms of its own.
    assert "PYTEST_XDIST_WORKER" not in os.environ or request.node.nodeid.endswith("@live")


def test_nobody_else_reads_the_logs_and_mails(live_platform: LivePlatform) -> None:
    state = live_platform.state
    assert state.stat().st_mode & 0o777 == (0o711 if os.geteuid() == 0 else 0o700)
    for name in ("logs", "inbox"):
        assert (state / name).stat().st_mode & 0o777 == 0o700
    assert (state / "logs" / "postgres.log").exists(), "who writes there need not be allowed to look"
    if os.geteuid() == 0:
        for path in (state, state / "logs", state / "logs" / "web.log"):
            done = subprocess.run(
                ["cat" if path.is_file() else "ls", str(path)], user="nobody", capture_output=True, check=False
            )
            assert b"Permission denied" in done.stderr


def test_two_installations_run_side_by_side(live_platform: LivePlatform) -> None:
    other = start_platform()

    assert other.admin_password != live_platform.admin_password
    assert (live_platform.state / "admin-password").stat().st_mode & 0o777 == 0o600
    status, _ = other.post("/track-event", {"event": "a"})
    other.stop()

    assert status == 401
    assert live_platform.process.poll() is None


def test_a_busy_port_is_said_in_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        done = run_briefly(PORT=str(port), STATE_DIR=str(tmp_path / "state"))

    assert done.returncode == 1
    assert f"Port {port} is busy." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_start_on_one_folder_is_refused_in_a_sentence(live_platform: LivePlatform) -> None:
    done = run_briefly(PORT="1999", STATE_DIR=str(live_platform.state))

    assert done.returncode == 1
    assert "already runs" in done.stderr


def test_a_folder_of_somebody_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")

    done = run_briefly(PORT="1999", STATE_DIR=str(tmp_path))

    assert "not empty" in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["precious"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another account")
def test_a_place_that_the_database_cannot_reach_is_said_in_a_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)

    done = run_briefly(PORT="1999", STATE_DIR=str(tmp_path / "state"))

    assert done.returncode == 1
    assert "Choose another STATE_DIR" in done.stderr


def test_a_folder_that_cannot_be_written_to_is_said_in_a_sentence() -> None:
    done = run_briefly(PORT="1999", STATE_DIR="/proc/state")

    assert done.returncode == 1
    assert "/proc/state cannot be written to" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_half_made_database_is_said_in_a_sentence() -> None:
    state = Path(f"/tmp/live-half-{os.getpid()}")
    (state / "postgres" / "base").mkdir(parents=True)
    (state / "lock").touch()

    done = run_briefly(PORT="1999", STATE_DIR=str(state))

    assert "half made" in done.stderr
    assert "Traceback" not in done.stderr


def test_pages_and_health_answer(live_platform: LivePlatform) -> None:
    for path in ("/healthz", "/readyz", "/api/docs/", "/admin/login/"):
        command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", live_platform.base_url + path]
        assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == "200", path


def test_manage_py_says_in_a_sentence_when_nothing_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "source", "add", "X"],
        cwd=PROJECT,
        env=make_environment(STATE_DIR=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "make run" in done.stderr
    assert "Traceback" not in done.stderr
