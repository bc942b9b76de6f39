"""The platform's pages in processes of their own, on the database of a test: what holds on one must hold on all."""

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from engagement.local.state import PROJECT
from engagement.local.supervisor import find_free_port
from tests.live import list_family, wait_for

_SERVER = """
import django, sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from engagement.wsgi import application
import tracking.valkey

# Who is slow on a busy machine is not away.
tracking.valkey.TIMEOUT_SECONDS = 5.0

class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

class Handler(WSGIRequestHandler):
    def log_message(self, *_):
        pass

server = make_server("127.0.0.1", 0, application, Server, Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@contextmanager
def serve_twice(**environment: str) -> Iterator[list[str]]:
    """Start two servers; give their addresses, and end them."""
    with ExitStack() as stack:
        servers = [stack.enter_context(_start(environment)) for _ in range(2)]
        try:
            yield [f"http://127.0.0.1:{int(_read_line(server))}" for server in servers]
        finally:
            for server in servers:
                server.kill()


def send(base: str, path: str, body: bytes, **headers: str) -> tuple[int, dict[str, Any], bytes]:
    """Post a body and return status, headers and answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(base + path, body, named | {"Content-Type": "application/json"}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


@dataclass(kw_only=True)
class WebServer:
    """The web server as it is started in production. `process` is the one that starts its workers."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def base_url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def list_workers(self) -> list[int]:
        """Return its worker processes."""
        return [pid for pid, _ in list_family(self.process.pid)]

    def open(self, data: bytes = b"", timeout: float = 30.0) -> socket.socket:
        """Connect and send bytes."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        client.sendall(data)
        return client


@contextmanager
def serve_web(*options: str, **environment: str) -> Iterator[WebServer]:
    """Start the web server on the database of a test, and end it."""
    port = find_free_port()
    command = [sys.executable, "-m", "engagement.web", "--port", str(port), "--log-level", "error", *options]
    process = subprocess.Popen(command, cwd=PROJECT, env=_make_environment(environment))
    server = WebServer(process=process, port=port)
    try:
        wait_for(lambda: _is_up(server))
        yield server
    finally:
        process.kill() if process.poll() is None and not _stop(process) else None


def _is_up(server: WebServer) -> bool:
    try:
        return send(server.base_url, "/healthz", b"")[0] == 200
    except OSError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> bool:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        return False
    return True


def _start(environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        cwd=PROJECT,
        env=_make_environment(environment),
        stdout=subprocess.PIPE,
        text=True,
    )


def _make_environment(environment: dict[str, str]) -> dict[str, str]:
    given = conninfo_to_dict(os.environ["DATABASE_URL"]) | {"dbname": str(connection.settings_dict["NAME"])}
    host, name = given.pop("host"), given.pop("dbname")
    url = f"postgresql:///{name}?host={host}&" + "&".join(f"{key}={value}" for key, value in given.items())
    assert make_conninfo(url)
    ours = {"DATABASE_URL": url, "ALLOWED_HOSTS": "127.0.0.1", "STATE_DIR": str(settings.STATE_DIR)}
    return os.environ | ours | environment


def _read_line(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None
    return server.stdout.readline()
