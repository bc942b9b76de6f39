"""Requests to both shells in this process: the asynchronous one by ASGI, Django's by WSGI."""

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import msgspec
from django.db import connections

from engagement.asgi import Application, django_application
from engagement.django_threads import make_environ


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came back. Header names are lower-case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def make_scope(method: str, path: str, query: str, headers: Mapping[str, str], scheme: str = "http") -> dict[str, Any]:
    """Return an ASGI scope."""
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        "scheme": scheme,
        "http_version": "1.1",
        "client": ("203.0.113.9", "40000"),
        "server": ("127.0.0.1", "8000"),
    }


class AsyncClient:
    """Sends requests through the ASGI application, which runs on a loop in a thread of its own."""

    def __init__(self) -> None:
        self.application = Application()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def ask(self, scope: dict[str, Any], body: bytes) -> Reply:
        """Send a request and return what came back."""
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Mapping[str, Any]) -> None:
            sent.append(message)

        whole = scope | {"headers": [*scope["headers"], (b"content-length", b"%d" % len(body))]}
        asyncio.run_coroutine_threadsafe(self.application(whole, receive, send), self._loop).result(30)
        start, *rest = sent
        headers = [(name.decode().lower(), value.decode("latin-1")) for name, value in start["headers"]]
        return Reply(status=start["status"], headers=sorted(headers), body=b"".join(one["body"] for one in rest))

    def close(self) -> None:
        """End the application and its loop."""
        self.application.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def ask_django(scope: dict[str, Any], body: bytes) -> Reply:
    """Send the same request through Django's WSGI application, in a thread."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def note(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        started.append((status, headers))

    def serve() -> bytes:
        result: Any = django_application(make_environ(scope, body), note)
        try:
            return b"".join(result)
        finally:
            result.close()
            connections.close_all()

    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(serve).result()
    status, headers = started[0]
    lower = sorted((name.lower(), value.strip()) for name, value in headers)
    return Reply(status=int(status.split()[0]), headers=lower, body=answer)
