"""A server that falters, between a client and the platform: what happens to requests on their way."""

import http.client
import ssl
import threading
from collections.abc import Iterable
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

LATE_SECONDS = 4.0
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host", "accept-encoding"})


class Fault(Enum):
    """What happens to one request."""

    NONE = "passes"
    ERROR = "is answered 500 and does not arrive"
    BUSY = "is answered 429 with Retry-After and does not arrive"
    LOST = "does not arrive: the connection is dropped"
    UNANSWERED = "arrives and is stored, but the connection is dropped before its answer"
    LATE = "arrives, and is answered so late that some have given up"


class FalteringServer:
    """Passes on to `target` (host and port), each reporting request with the next of `faults`; then without any.

    Requests that a client makes before it reports (preflights, configuration) pass. `seen` lists what came.
    With `tls` its clients have to speak TLS.
    """

    def __init__(
        self,
        target: str,
        faults: Iterable[Fault] = (),
        quiet: tuple[str, ...] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.target = target
        self._scheme = "https" if tls is not None else "http"
        self.seen: list[tuple[str, str, Fault]] = []
        self._faults = iter(faults)
        self._quiet = quiet
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._make_handler())
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def host(self) -> str:
        """Its host and port."""
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self._scheme}://{self.host}"

    def __enter__(self) -> "FalteringServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def list_faults(self) -> set[Fault]:
        """Return which faults requests have met so far."""
        with self._lock:
            return {fault for _, _, fault in self.seen} - {Fault.NONE}

    def next_fault(self, method: str, path: str) -> Fault:
        """Choose what happens to a request, and note it."""
        with self._lock:
            passes = method == "OPTIONS" or path.startswith(self._quiet or ("\0",))
            fault = Fault.NONE if passes else next(self._faults, Fault.NONE)
            self.seen.append((method, path, fault))
        return fault

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        faltering = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_request(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                fault = faltering.next_fault(self.command, self.path)
                if fault is Fault.LOST:
                    return self.drop()
                if fault in (Fault.ERROR, Fault.BUSY):
                    return self.refuse(500 if fault is Fault.ERROR else 429)
                status, headers, answer = self.forward(body)
                if fault is Fault.UNANSWERED:
                    return self.drop()
                if fault is Fault.LATE:
                    threading.Event().wait(LATE_SECONDS)
                return self.reply(status, headers, answer)

            do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = handle_request

            def forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
                connection = http.client.HTTPConnection(faltering.target, timeout=30)
                headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
                headers["Host"] = faltering.target
                connection.request(self.command, self.path, body or None, headers)
                answer = connection.getresponse()
                content = answer.read()
                connection.close()
                kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP]
                return answer.status, kept, content

            def refuse(self, status: int) -> None:
                origin = self.headers.get("origin")
                cors = [("Access-Control-Allow-Origin", origin), ("Access-Control-Allow-Credentials", "true")]
                exposed = [("Retry-After", "1"), ("Access-Control-Expose-Headers", "Retry-After")]
                self.reply(status, [*(cors if origin else []), *exposed], b"")

            def reply(self, status: int, headers: Iterable[tuple[str, str | None]], content: bytes) -> None:
                try:
                    self.send_response_only(status)
                    for name, value in headers:
                        self.send_header(name, value or "")
                    if status != 204:
                        self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                except OSError:
                    self.close_connection = True

            def drop(self) -> None:
                self.close_connection = True
                self.connection.close()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        return Handler
