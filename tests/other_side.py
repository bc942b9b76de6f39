"""Somebody else's server: a real HTTP server that answers as a test tells it, and remembers what it was sent."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A request. Names of headers are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes
    method: str = "POST"

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


class Say(msgspec.Struct, frozen=True, kw_only=True):
    """An answer; a status of 0 hangs up without any."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = {}


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args: Any) -> None:
        """Who asks may hang up: that is a part of some stories."""


class OtherSide:
    """What it was sent and took (2xx) is in `taken`, all that it was sent in `heard`, in order.

    `answer` decides; it may be replaced at any time.
    """

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.taken: list[Heard] = []
        self.connections = 0
        self.answer: Callable[[Heard], Say] = lambda request: Say()
        self._lock = threading.Lock()
        self._server = _QuietServer(("127.0.0.1", 0), self._make_handler())
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def refuse(self, status: int = 503, **headers: str) -> None:
        """Answer everything so."""
        said = Say(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})
        self.answer = lambda request: said

    def recover(self) -> None:
        """Take everything."""
        self.answer = lambda request: Say()

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()

    def _hear(self, request: Heard) -> Say:
        said = self.answer(request)
        with self._lock:
            self.heard.append(request)
            if 200 <= said.status < 300:
                self.taken.append(request)
        return said

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        other_side = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                other_side.connections += 1
                super().setup()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                heard = Heard(path=self.path, headers=headers, body=body, method=self.command)
                said = other_side._hear(heard)
                if said.status == 0:
                    self.close_connection = True
                    return
                self.send_response(said.status)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(said.body)))
                self.end_headers()
                self.wfile.write(said.body)

            do_GET = do_OPTIONS = do_POST

            def log_message(self, *args: Any) -> None:
                """Nobody reads it."""

        return Handler
