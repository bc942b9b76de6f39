"""`make run`: everything that the platform needs, on one machine, as children of this process.

They die with it, however it ends; what dies by itself is started again. Only the web port is fixed.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engagement.local.children import start_child, stop_child
from engagement.local.postgres import Postgres, PostgresFailed
from engagement.local.program import Program
from engagement.local.screen import print_screen, say
from engagement.local.state import (
    PROJECT,
    SERVICES,
    StateBusy,
    StateReadOnly,
    find_state_dir,
    is_passable,
    keep_secret,
    lock_state,
    make_state_dir,
    save_services,
)
from engagement.local.valkey import Valkey, ValkeyFailed


class StartFailed(Exception):
    """The platform cannot run; the message is for a person."""


@dataclass(kw_only=True)
class Supervisor:
    """The services of one state folder."""

    state: Path
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    programs: list[Program] = field(default_factory=list)
    postgres: Postgres | None = None
    valkey: Valkey | None = None

    def start(self) -> None:
        """Start the services, prepare the database and start the programs."""
        given = dict(os.environ)
        self.environment = {
            "ENGAGEMENT_LOCAL": "1",
            "STATE_DIR": str(self.state),
            "PORT": str(self.port),
            "PUBLIC_URL": given.get("PUBLIC_URL", f"http://127.0.0.1:{self.port}"),
            "DJANGO_SECRET_KEY": given.get("DJANGO_SECRET_KEY") or keep_secret(self.state / "secret-key", 50),
        }
        self._start_postgres(given)
        self._start_valkey(given)
        smtp_port = self._choose_mail(given)
        save_services(self.state, self.environment)
        self._prepare()
        if smtp_port is not None:
            inbox = str(self.state / "inbox")
            self._add("mail", [sys.executable, "-m", "engagement.local.smtp_sink", str(smtp_port), inbox])
        self._add_platform()
        for program in self.programs:
            if program.process is None:
                program.run()
        self._wait_for_web()

    def watch(self) -> None:
        """Keep the programs running until a signal comes."""
        while True:
            for program in self.programs:
                program.revive()
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop everything, the database last."""
        for program in reversed(self.programs):
            if program.process is not None and program.name not in ("postgres", "valkey"):
                program.process.terminate() if program.process.poll() is None else None
        for program in reversed(self.programs):
            if program.process is not None and program.name not in ("postgres", "valkey"):
                stop_child(program.process, patience=8)
        for service in (self.valkey, self.postgres):
            if service is not None:
                service.stop()
        (self.state / SERVICES).unlink(missing_ok=True)

    def _start_postgres(self, given: Mapping[str, str]) -> None:
        if "DATABASE_URL" in given:
            self.environment["DATABASE_URL"] = given["DATABASE_URL"]
            return
        if not is_passable(self.state):
            raise StartFailed(
                f"PostgreSQL does not run as root, and another account cannot enter {self.state}: a folder above it is "
                "private. Choose another STATE_DIR."
            )
        is_new = not (self.state / "postgres").exists()
        say("making the database (once)" if is_new else "starting the database")
        server = self.postgres = Postgres(self.state / "postgres", log=self._log("postgres"))
        self.environment["DATABASE_URL"] = server.url
        self._add_service("postgres", server.start, server)

    def _start_valkey(self, given: Mapping[str, str]) -> None:
        for name in ("CELERY_BROKER_URL", "CACHE_URL"):
            if name in given:
                self.environment[name] = given[name]
        if "CELERY_BROKER_URL" in given and "CACHE_URL" in given:
            return
        server = self.valkey = Valkey(self.state / "valkey", log=self._log("valkey"))
        self.environment.setdefault("CELERY_BROKER_URL", server.broker_url())
        self.environment.setdefault("CACHE_URL", server.cache_url())
        self._add_service("valkey", server.start, server)

    def _add_service(self, name: str, start: Callable[[], None], server: Postgres | Valkey) -> None:
        def run() -> subprocess.Popen[bytes]:
            start()
            if server.process is None:
                raise StartFailed(f"{name} did not start")
            return server.process

        program = Program(name=name, start=run)
        program.run()
        self.programs.append(program)

    def _choose_mail(self, given: Mapping[str, str]) -> int | None:
        if "EMAIL_URL" in given:
            self.environment["EMAIL_URL"] = given["EMAIL_URL"]
            return None
        port = find_free_port()
        self.environment["EMAIL_URL"] = f"smtp://127.0.0.1:{port}"
        return port

    def _prepare(self) -> None:
        keep_secret(self.state / "admin-password", 12)
        say("preparing the database")
        self._manage("prepare_local", "prepare")

    def _manage(self, command: str, log: str) -> None:
        path = self._log(log)
        done = subprocess.run(
            [sys.executable, "manage.py", command],
            cwd=PROJECT,
            env=self._full_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        path.write_text(done.stdout + done.stderr)
        if done.returncode:
            raise StartFailed(f"`manage.py {command}` failed; {path} says why:\n{done.stderr.strip()[-2000:]}")

    def _add_platform(self) -> None:
        python = sys.executable
        web = [python, "-m", "engagement.web", "--host", "127.0.0.1", "--port", str(self.port)]
        self._add("web", [*web, "--workers", "2", "--log-level", "warning"])
        celery = [python, "-m", "celery", "-A", "engagement.celery"]
        queues = "evaluate,deliver,scan,copy,default"
        worker = [
            "worker",
            "--pool",
            "threads",
            "--concurrency",
            "6",
            "-Q",
            queues,
            "--without-gossip",
            "--without-mingle",
        ]
        self._add("worker", [*celery, *worker])
        self._add("beat", [*celery, "beat", "--pidfile="])

    def _add(self, name: str, command: list[str], extra: Mapping[str, str] | None = None) -> None:
        environment = self._full_environment() | dict(extra or {})

        def run() -> subprocess.Popen[bytes]:
            return start_child(command, log=self._log(name), environment=environment, cwd=PROJECT)

        self.programs.append(Program(name=name, start=run))

    def _full_environment(self) -> dict[str, str]:
        return dict(os.environ) | self.environment | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(PROJECT)}

    def _log(self, name: str) -> Path:
        return self.state / "logs" / f"{name}.log"

    def _wait_for_web(self, patience: float = 60.0) -> None:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            with socket.socket() as client:
                client.settimeout(0.5)
                if client.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            for program in self.programs:
                program.revive()
            time.sleep(0.05)
        raise StartFailed(f"The web server did not answer; see {self._log('web')}.")


def find_free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def check_port(port: int) -> None:
    """Raise StartFailed when somebody listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise StartFailed(
                f"Port {port} is busy. Stop what uses it, or choose another: make run PORT=8001"
            ) from None


def read_port() -> int:
    """Return PORT, 8000 by default."""
    raw = os.environ.get("PORT", "8000")
    if not raw.isdecimal() or not 1 <= int(raw) <= 65535:
        raise StartFailed(f"PORT must be a number from 1 to 65535; it is {raw!r}.")
    return int(raw)


def main() -> int:
    """Run until a signal comes."""
    supervisor: Supervisor | None = None
    # Said for both: a shell that starts this in the background has Ctrl-C's signal ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        port = read_port()
        state = find_state_dir()
        make_state_dir(state)
        with lock_state(state):
            check_port(port)
            supervisor = Supervisor(state=state, port=port)
            try:
                supervisor.start()
                print_screen(supervisor.environment["PUBLIC_URL"], state)
                supervisor.watch()
            finally:
                say("stopping")
                supervisor.stop()
    except KeyboardInterrupt:
        return 0
    except (StartFailed, StateBusy, StateReadOnly, PostgresFailed, ValkeyFailed, RuntimeError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
