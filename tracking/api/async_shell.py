"""The asynchronous shell around the pipeline: what clients report is answered on the event loop, without Django's
request.

What may take long leaves the loop: a large or packed body is worked through in a thread, and so is each question to
PostgreSQL or Valkey. The commit is awaited: the appender wakes the loop once for all requests of a commit.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import Any

import msgspec
import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections
from django.http import HttpRequest, HttpResponse
from django.middleware.security import SecurityMiddleware

from tracking.api.carry import HEADERS, carry_in, encode_body, is_secure, list_headers
from tracking.door import (
    answer_crowded,
    answer_cut_short,
    answer_in_steps,
    answer_slow,
    answer_too_large,
    answer_unavailable,
)
from tracking.intake import Intake, make_intake
from tracking.registry import FRESH_SECONDS, OLDEST_SECONDS, Registry, get_registry, peek_registry
from tracking.schema.validate import MAX_BODY
from tracking.steps import Append, Done, Step, Steps, advance
from tracking.wire.body import is_packed
from tracking.wire.dialects import ADDRESSES, LARGE
from tracking.wire.request import WireRequest, WireResponse

LARGE_BODY = 16_384
"""Bytes. What is larger is worked through in a thread: on the loop it would hold up all others for milliseconds."""
_BUSY_THREADS = 4
_BLOCKING_THREADS = 16
_NAMES = {name.encode(): name for name in HEADERS}

Scope = Mapping[str, Any]
log = structlog.get_logger()


class Unread(Enum):
    """Why a request's body is not there."""

    TOO_LARGE = "too large"
    TOO_SLOW = "too slow"
    CROWDED = "too many others"
    GONE = "the client hung up, or its chunks are malformed"


class Answer(msgspec.Struct, frozen=True):
    """An answer as ASGI sends it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class AsyncShell:
    """Answers the addresses that clients report to. One for a process, used by its event loop alone."""

    def __init__(self) -> None:
        self._busy = ThreadPoolExecutor(_BUSY_THREADS, "ingest-busy")
        self._blocking = ThreadPoolExecutor(_BLOCKING_THREADS, "ingest-blocking")
        self._refresh: asyncio.Future[Registry] | None = None
        self._further = {is_https: _list_further_headers(is_https) for is_https in (False, True)}

    def close(self) -> None:
        """Wait for what is under way and end the threads."""
        self._busy.shutdown()
        self._blocking.shutdown()

    def takes(self, scope: Scope) -> bool:
        """Whether a request is for this shell. One that is sent from http to https is not."""
        if (scope["method"], scope["path"].rstrip("/")) not in ADDRESSES:
            return False
        return not settings.SECURE_SSL_REDIRECT or is_secure(read_headers(scope), scope["scheme"])

    def find_max_body(self, scope: Scope) -> int:
        """Return how many bytes a body may hold."""
        return LARGE.get(scope["path"].rstrip("/"), MAX_BODY)

    async def answer(self, scope: Scope, body: bytes | Unread) -> Answer:
        """Answer a request. What nobody expected is logged and answered with 500."""
        headers = read_headers(scope)
        try:
            answer = await self._answer(scope, headers, body)
        except Exception:
            log.exception("ingest_failed", path=scope["path"])
            error = {"code": "internal", "field": None, "message": "The request failed. Retry later."}
            answer = WireResponse(status=500, body=error)
        further = self._further[is_secure(headers, scope["scheme"])]
        return Answer(answer.status, list_headers(answer) + further, encode_body(answer))

    async def _answer(self, scope: Scope, headers: Mapping[str, str], body: bytes | Unread) -> WireResponse:
        intake = await self._open_intake()
        request = carry_in(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            peer=scope["client"][0] if scope["client"] else "",
            scheme=scope["scheme"],
            body=body if isinstance(body, bytes) else b"",
            now=intake.now if intake is not None else None,
        )
        if isinstance(body, Unread):
            return _answer_unread(request, body, intake.registry if intake is not None else None)
        if intake is None:
            return answer_unavailable(request)
        is_busy = len(body) > LARGE_BODY or is_packed(body)
        return await self._run(answer_in_steps(request, intake), self._busy if is_busy else None)

    async def _run(self, steps: Steps[WireResponse], busy: ThreadPoolExecutor | None) -> WireResponse:
        """Run the steps: on the loop, or each in a thread of `busy`; waiting for a commit holds no thread."""

        async def go_on(result: Any = None, error: Exception | None = None) -> Step | Done:
            if busy is None:
                return advance(steps, result, error)
            return await asyncio.get_running_loop().run_in_executor(busy, advance, steps, result, error)

        step = await go_on()
        while not isinstance(step, Done):
            try:
                result = await self._carry_out(step)
            except Exception as error:
                step = await go_on(error=error)
            else:
                step = await go_on(result)
        return step.result  # type: ignore[no-any-return]

    async def _carry_out(self, step: Step) -> Any:
        if isinstance(step, Append):
            return await step.appender.append_async(step.rows)
        return await self._call(step.call)

    def _call(self, function: Callable[[], Any]) -> "asyncio.Future[Any]":
        return asyncio.get_running_loop().run_in_executor(self._blocking, _call_beside_django, function)

    async def _open_intake(self) -> Intake | None:
        """Return what the pipeline works with; None while the database is away.

        A registry that is no longer fresh is read again in a thread, once for all who need it. One that is old is
        waited for.
        """
        registry, age = peek_registry()
        if registry is not None and age < FRESH_SECONDS:
            return make_intake(registry)
        if self._refresh is None or self._refresh.done():
            self._refresh = self._call(get_registry)
            self._refresh.add_done_callback(_retrieve_error)
        if registry is not None and age < OLDEST_SECONDS:
            return make_intake(registry)
        try:
            return make_intake(await asyncio.shield(self._refresh))
        except (OperationalError, InterfaceError) as problem:
            log.error("intake_unavailable", problem=str(problem))
            return None


def read_headers(scope: Scope) -> dict[str, str]:
    """Return those of HEADERS that came, as WSGI would: several of one name are one, with commas."""
    found: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name = _NAMES.get(raw)
        if name is not None:
            text = value.decode("latin-1")
            found[name] = found[name] + (";" if name == "cookie" else ",") + text if name in found else text
    return found


def _answer_unread(request: WireRequest, reason: Unread, registry: Registry | None) -> WireResponse:
    return _ANSWERS[reason](request, registry)


_ANSWERS = {
    Unread.TOO_LARGE: answer_too_large,
    Unread.TOO_SLOW: answer_slow,
    Unread.CROWDED: answer_crowded,
    Unread.GONE: answer_cut_short,
}


def _call_beside_django(function: Callable[[], Any]) -> Any:
    """Call what may use Django's connections, as a request would: a broken one is replaced, and given back after."""
    close_old_connections()
    try:
        return function()
    finally:
        close_old_connections()


def _retrieve_error(future: "asyncio.Future[Registry]") -> None:
    """The next request asks for the registry again: this error needs no report of its own."""
    if not future.cancelled():
        future.exception()


def _list_further_headers(is_https: bool) -> list[tuple[bytes, bytes]]:
    """Return the headers that Django's security middleware adds to every answer."""

    class Request(HttpRequest):
        def _get_scheme(self) -> str:
            return "https" if is_https else "http"

    response = SecurityMiddleware(lambda request: HttpResponse()).process_response(Request(), HttpResponse())
    return [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in response.items()
        if name.lower() != "content-type"
    ]
