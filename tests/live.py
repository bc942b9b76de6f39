"""The platform as its user starts it: real processes, for journeys, pages and kills."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from engagement.local.state import PROJECT
from engagement.local.supervisor import find_free_port

ASYNC_UNSAFE = "DJANGO_ALLOW_ASYNC_UNSAFE"
"""Set where a browser runs beside tests; a deployment that has it is refused."""

_OWN = (
    "DATABASE_URL",
    "CELERY_BROKER_URL",
    "CACHE_URL",
    "EMAIL_URL",
    "STATE_DIR",
    "PORT",
    "DJANGO_SECRET_KEY",
    "ADDRESS_HASH_KEY",
    "TEST_VALKEY",
    ASYNC_UNSAFE,
)


@dataclass(kw_only=True)
class LivePlatform:
    """A running platform. `base_url` is its web address, `state` its folder."""

    process: subprocess.Popen[str]
    state: Path
    port: int
    environment: dict[str, str]

    @property
    def base_url(self) -> str:
        """The address of its pages."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def admin_password(self) -> str:
        """The password of the user `admin`."""
        return (self.state / "admin-password").read_text().strip()

    @property
    def services(self) -> dict[str, str]:
        """The addresses of its services."""
        return dict(json.loads((self.state / "services.json").read_text()))

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Open a connection to its database."""
        return psycopg.connect(self.services["DATABASE_URL"], autocommit=True)

    def manage(self, *arguments: str) -> str:
        """Run a `manage.py` command beside it and return what it printed."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=PROJECT, env=self.environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        """Send JSON and return the status and the answer."""
        request = urllib.request.Request(self.base_url + path, json.dumps(body).encode(), method="POST")
        request.add_header("Content-Type", "application/json")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def find_pids(self, text: str) -> list[int]:
        """Return the processes of this platform whose command line holds `text`."""
        return [pid for pid, command in list_family(self.process.pid) if text in command]

    def kill(self, text: str) -> int:
        """Kill -9 the processes whose command line holds `text`; return how many there were."""
        pids = self.find_pids(text)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return len(pids)

    def stop(self) -> None:
        """Stop everything and delete the folder."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(120)
        shutil.rmtree(self.state, ignore_errors=True)


def make_environment(**settings: str) -> dict[str, str]:
    """Return the environment of somebody who has set nothing but `settings`."""
    return {name: value for name, value in os.environ.items() if name not in _OWN} | settings


def start_platform(state: Path | None = None, port: int | None = None, **settings: str) -> LivePlatform:
    """Start the platform and wait until it says that it is ready."""
    if state is None:
        state = Path(tempfile.mkdtemp(prefix="live-"))
        state.rmdir()
    port = port or find_free_port()
    environment = make_environment(STATE_DIR=str(state), PORT=str(port)) | settings
    process = subprocess.Popen(
        [sys.executable, "-m", "engagement.local"],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    printed = []
    assert process.stdout is not None
    for line in process.stdout:
        printed.append(line)
        if "Ctrl-C stops everything" in line:
            return LivePlatform(process=process, state=state, port=port, environment=environment)
    raise AssertionError("the platform did not start:\n" + "".join(printed))


def wait_for(claim: Callable[[], Any], patience: float = 60.0) -> Any:
    """Ask again and again until the answer is true, and return it; fail after `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        answer = claim()
        if answer:
            return answer
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def list_family(pid: int) -> list[tuple[int, str]]:
    """Return a process's descendants with their command lines."""
    children: dict[int, list[int]] = {}
    commands: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            status = (entry / "stat").read_text().rpartition(")")[2].split()
            commands[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        children.setdefault(int(status[1]), []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        for child in children.get(waiting.pop(), []):
            found.append((child, commands.get(child, "")))
            waiting.append(child)
    return found
