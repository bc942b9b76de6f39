"""Serves Django's WSGI application in threads behind the event loop.

Django's own ASGI handler runs synchronous views one after the other (about a thousand requests a second); threads do
not. A request comes with its body, so a slow sender holds no thread; an answer of up to a megabyte, and a file of any
size, is handed to the server as a whole, so a slow reader holds none either. Only what streams for longer does, until
its client has not read anything for half a minute.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

Send = Callable[[Mapping[str, Any]], Awaitable[None]]
WsgiApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]

THREADS = 16
HELD = 1_000_000
"""Bytes of an answer that are gathered before it is sent piece by piece."""
SEND_SECONDS = 30.0


class DjangoThreads:
    """Runs a WSGI application in the threads of a process."""

    def __init__(self, application: WsgiApplication, threads: int = THREADS) -> None:
        self._application = application
        self._threads = ThreadPoolExecutor(threads, "django")

    def close(self) -> None:
        """Wait for the requests under way and end the threads."""
        self._threads.shutdown()

    async def serve(self, scope: Mapping[str, Any], body: bytes, send: Send) -> None:
        """Answer one request."""
        loop = asyncio.get_running_loop()
        answer = _Answer(loop, send)
        await loop.run_in_executor(self._threads, answer.make, self._application, make_environ(scope, body))
        for message in answer.list_messages():
            await send(message)


class _Answer:
    """An answer under way: made in a thread, sent by the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Send) -> None:
        self._loop, self._send = loop, send
        self._start: dict[str, Any] = {}
        self._pieces: list[bytes] = []
        self._held = 0
        self._is_started = False
        self._file: str | None = None

    def make(self, application: WsgiApplication, environ: dict[str, Any]) -> None:
        """Call the application and gather what it answers; what is too much to hold is sent meanwhile."""
        result = application(environ, self._note_start)
        try:
            name = getattr(result.file, "name", None) if isinstance(result, _File) else None
            if isinstance(name, str) and environ["REQUEST_METHOD"] != "HEAD":
                self._file = name
                return
            for piece in result:
                self._pieces.append(piece)
                self._held += len(piece)
                if self._held > HELD:
                    self._send_held()
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()

    def list_messages(self) -> list[dict[str, Any]]:
        """Return what is left to be sent."""
        if self._file is not None:
            return [self._start, {"type": "http.response.pathsend", "path": self._file}]
        end = {"type": "http.response.body", "body": b"".join(self._pieces), "more_body": False}
        return [end] if self._is_started else [self._start, end]

    def _note_start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self._start = {"type": "http.response.start", "status": int(status.split(" ", 1)[0]), "headers": encoded}

    def _send_held(self) -> None:
        """Send what is held, and wait until the client has read as much. Raises TimeoutError."""
        messages = [] if self._is_started else [self._start]
        messages.append({"type": "http.response.body", "body": b"".join(self._pieces), "more_body": True})
        self._is_started, self._pieces, self._held = True, [], 0
        asyncio.run_coroutine_threadsafe(self._send_in_time(messages), self._loop).result()

    async def _send_in_time(self, messages: list[dict[str, Any]]) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            for message in messages:
                await self._send(message)


class _File:
    """A file that an application answers with (`wsgi.file_wrapper`): the server sends it by itself."""

    def __init__(self, file: Any, block_size: int = 8_192) -> None:
        self.file, self._block_size = file, block_size
        self.close = file.close

    def __iter__(self) -> Any:
        return iter(lambda: self.file.read(self._block_size), b"")


def make_environ(scope: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """Return the WSGI environment of a request that came with its body.

    A header with an underscore is left out: `X_Forwarded_Proto` must not pass for `X-Forwarded-Proto`.
    """
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": scope["server"][0] if scope["server"] else "localhost",
        "SERVER_PORT": str(scope["server"][1]) if scope["server"] else "80",
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0] if scope["client"] else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": _File,
    }
    for raw, value in scope["headers"]:
        if b"_" in raw or raw in (b"content-length", b"transfer-encoding"):
            continue
        name = raw.decode("latin-1").upper().replace("-", "_")
        name = name if name == "CONTENT_TYPE" else f"HTTP_{name}"
        text = value.decode("latin-1")
        separator = "; " if name == "HTTP_COOKIE" else ","
        environ[name] = environ[name] + separator + text if name in environ else text
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ
