"""The ASGI application: probes, then the asynchronous shell for what clients report, and Django in threads behind."""

import asyncio
import multiprocessing
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "engagement.settings")
django_application = get_wsgi_application()

from django.conf import settings  # noqa: E402
from django.db import close_old_connections  # noqa: E402

from engagement.bodies import Bodies, Receive  # noqa: E402
from engagement.django_threads import DjangoThreads, Send  # noqa: E402
from engagement.health import PROBES, Probe, check_health  # noqa: E402
from engagement.lib.interpreter import raise_file_limit, tune_interpreter  # noqa: E402
from engagement.local.children import die_with_parent  # noqa: E402
from tracking.api.async_shell import Answer, AsyncShell, Unread  # noqa: E402
from tracking.door import describe_crowded, describe_cut_short, describe_slow  # noqa: E402
from tracking.log.appenders import close_appender  # noqa: E402
from tracking.wire.request import WireError  # noqa: E402

MAX_BODY = 6_000_000
"""Bytes. Any of our addresses takes less, and says so itself."""


class Application:
    """One for a process."""

    def __init__(self) -> None:
        self.bodies = Bodies(settings.BODY_SECONDS)
        self._shell = AsyncShell()
        self._django = DjangoThreads(django_application)
        # Of its own: a process whose other threads are all busy can still say so.
        self._probes = ThreadPoolExecutor(1, "probe")

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve what a web server hands on."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await asyncio.get_running_loop().run_in_executor(None, self.close)
            await send({"type": "lifespan.shutdown.complete"})

    def close(self) -> None:
        """Wait for what is under way, write what has gathered and end the threads."""
        self._shell.close()
        self._django.close()
        self._probes.shutdown()
        close_appender()

    async def _serve(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["path"] in PROBES:
            await _send(await self._probe(scope["path"]), send)
            return
        is_ingest = self._shell.takes(scope)
        most = self._shell.find_max_body(scope) if is_ingest else MAX_BODY
        body = await self.bodies.read(dict(scope["headers"]), receive, most)
        try:
            if is_ingest:
                await _send(await self._shell.answer(scope, body), send)
            elif isinstance(body, bytes):
                await self._django.serve(scope, body, send)
            else:
                await _send(_describe_unread(body), send)
        finally:
            self.bodies.release(body)

    async def _probe(self, path: str) -> Answer:
        check = PROBES[path]
        if check is check_health:
            probe = check()
        else:
            probe = await asyncio.get_running_loop().run_in_executor(self._probes, _check_beside_django, path)
        return Answer(probe.status, [(b"content-type", probe.content_type.encode())], probe.body)


def _check_beside_django(path: str) -> Probe:
    try:
        return PROBES[path]()
    finally:
        close_old_connections()


async def _send(answer: Answer, send: Send) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


_DESCRIPTIONS = {
    Unread.TOO_SLOW: describe_slow,
    Unread.CROWDED: describe_crowded,
    Unread.GONE: describe_cut_short,
}


def _describe_unread(reason: Unread) -> Answer:
    if reason is Unread.TOO_LARGE:
        error = WireError(413, "body_too_large", f"A request's body holds at most {MAX_BODY} bytes.")
    else:
        error = _DESCRIPTIONS[reason]()
    answer = error.answer({})
    headers = [(b"content-type", b"application/json")]
    if error.retry_after is not None:
        headers.append((b"retry-after", str(error.retry_after).encode()))
    return Answer(answer.status, headers, msgspec.json.encode(answer.body))


_parent = multiprocessing.parent_process()
if _parent is not None:
    # A worker does not outlive the server that started it, however that ends: it would keep the port.
    die_with_parent()
    if os.getppid() != _parent.pid:
        os._exit(1)
raise_file_limit()
application = Application()
tune_interpreter()
