"""The door: a request in, events in the log and the exact answer out. No framework, no look-up of a profile.

find the dialect → authenticate → admit → read → accept its items (`tracking/acceptance.py`) → answer.
"""

from functools import partial

import msgspec

from tracking.acceptance import NoRoom, take_items
from tracking.admission import admit_items, admit_request, admit_signature, release_signature
from tracking.arrival import settle_items
from tracking.caller import Caller, allow_page, answer_preflight, authenticate, describe_cors, find_cors, read_key
from tracking.intake import Intake
from tracking.key_use import note_use
from tracking.log.append import AppendFailed
from tracking.quarantine import NO_ROOM, HoldFailed
from tracking.refusals import get_tally
from tracking.registry import Registry
from tracking.schema.validate import TOO_DEEP
from tracking.steps import Blocking, Steps, run_steps
from tracking.visitor import give_identity
from tracking.wire.dialect import Dialect, Told
from tracking.wire.dialects import find_dialect
from tracking.wire.native import NATIVE, SNIPPET_PATH
from tracking.wire.request import WireError, WireRequest, WireResponse


def answer_request(request: WireRequest, intake: Intake) -> WireResponse:
    """Serve one request of a client in this thread. Never raises for anything that the client did."""
    return run_steps(answer_in_steps(request, intake))


def answer_in_steps(request: WireRequest, intake: Intake) -> Steps[WireResponse]:
    """Serve one request of a client. Never raises for anything that the client did."""
    dialect = NATIVE
    headers: dict[str, str] = {}
    try:
        if request.method == "OPTIONS":
            return answer_preflight(request, intake.registry)
        headers = find_cors(request, intake.registry)
        dialect = find_dialect(request)
        if len(request.body) > dialect.max_body:
            raise _describe_too_large(dialect)
        told, caller = yield from _read(request, dialect, intake)
        headers = describe_cors(caller.origin)
        if caller.key_id is not None:
            note_use(caller.key_id, intake.now)
        answer = yield from _take(request, dialect, told, caller, intake)
    except WireError as error:
        answer = dialect.refuse(request, error)
        if error.retry_after is not None:
            headers = headers | {"Retry-After": str(error.retry_after)}
    except NoRoom:
        message = "Nothing of it was taken, and the quarantine that would hold some of it is full: send it again later."
        answer = dialect.refuse(request, WireError(503, NO_ROOM, message))
        headers |= {"Retry-After": "60"}
    except (AppendFailed, HoldFailed):
        answer = _ask_again(request, dialect)
    except RecursionError:
        answer = dialect.refuse(request, WireError(400, "too_deep", TOO_DEEP))
    return msgspec.structs.replace(answer, headers=headers | answer.headers)


def answer_unavailable(request: WireRequest) -> WireResponse:
    """Answer while nobody can be known, because the database is away. Every client sends it again.

    Any page may read that: it tells nothing, and without it a library would not learn when to come again.
    """
    origin = request.headers.get("origin")
    if request.method == "OPTIONS" and origin is not None:
        answer = allow_page(request, origin)
        return msgspec.structs.replace(answer, headers=answer.headers | {"Access-Control-Max-Age": "0"})
    answer = _ask_again(request, _find_dialect(request))
    return msgspec.structs.replace(answer, headers=describe_cors(origin) | answer.headers)


def answer_too_large(request: WireRequest, registry: Registry | None) -> WireResponse:
    """Answer a request whose body was not even read; without a registry nobody can be known."""
    return _answer_unread(request, registry, _describe_too_large(_find_dialect(request)))


def answer_cut_short(request: WireRequest, registry: Registry | None) -> WireResponse:
    """Answer a request whose connection broke: of what came line by line half a line would be another event."""
    return _answer_unread(request, registry, describe_cut_short())


def describe_cut_short() -> WireError:
    """Return why a request whose connection broke is refused."""
    return WireError(400, "body_incomplete", "The body broke off, or its chunks are malformed. Send it again.")


def answer_slow(request: WireRequest, registry: Registry | None) -> WireResponse:
    """Answer a request whose body did not come in time."""
    return _answer_unread(request, registry, describe_slow())


def describe_slow() -> WireError:
    """Return why a request whose body did not come in time is rejected."""
    return WireError(408, "body_timeout", "The body did not arrive in time. Send it again.")


def answer_crowded(request: WireRequest, registry: Registry | None) -> WireResponse:
    """Answer a request whose body would have been one too many to wait for."""
    return _answer_unread(request, registry, describe_crowded())


def describe_crowded() -> WireError:
    """Return why a body is not waited for."""
    return WireError(503, "overloaded", "Too many bodies are under way. Retry later.", retry_after=1)


def _answer_unread(request: WireRequest, registry: Registry | None, error: WireError) -> WireResponse:
    answer = _find_dialect(request).refuse(request, error)
    headers = find_cors(request, registry) if registry is not None else describe_cors(request.headers.get("origin"))
    if error.retry_after is not None:
        headers |= {"Retry-After": str(error.retry_after)}
    return msgspec.structs.replace(answer, headers=headers | answer.headers)


def _find_dialect(request: WireRequest) -> Dialect:
    try:
        return find_dialect(request)
    except WireError:
        return NATIVE


def _ask_again(request: WireRequest, dialect: Dialect) -> WireResponse:
    message = "The event could not be stored. Send it again, with the same message_id."
    answer = dialect.refuse(request, WireError(503, "unavailable", message))
    return msgspec.structs.replace(answer, headers=answer.headers | {"Retry-After": "1"})


def _describe_too_large(dialect: Dialect) -> WireError:
    return WireError(413, "body_too_large", f"A request's body holds at most {dialect.max_body} bytes.")


def _read(request: WireRequest, dialect: Dialect, intake: Intake) -> Steps[tuple[Told, Caller]]:
    """Authenticate before the body is read, unless only the body may name the key."""
    key = dialect.find_key(request) or read_key(request)
    if key is None and dialect.names_key:
        told = dialect.read(request)
        caller = authenticate(request, intake.registry, told.key, intake.now)
        yield from admit_request(caller)
        return told, caller
    caller = authenticate(request, intake.registry, key, intake.now)
    yield from admit_request(caller)
    try:
        return dialect.read(request), caller
    except WireError as error:
        get_tally().note(caller.source.id, [error.code], intake.now)
        raise


def _take(request: WireRequest, dialect: Dialect, told: Told, caller: Caller, intake: Intake) -> Steps[WireResponse]:
    looks = dialect.needs_look(request, told)
    if caller.address is not None and not dialect.notes_address(request):
        caller = msgspec.structs.replace(caller, address=None)
    cookie = None
    if request.path == SNIPPET_PATH:
        told, cookie = give_identity(told, request, caller)
    told = msgspec.structs.replace(told, items=settle_items(told.items, caller))
    yield from admit_items(told.items, caller)

    def cut(index: int) -> bytes:
        return dialect.cut(request, told, index)

    if caller.signature is not None:
        yield Blocking(partial(admit_signature, caller.source, caller.signature))
    try:
        receipts = yield from take_items(told.items, caller, intake, dialect=dialect.name, cut=cut, looks=looks)
    except (AppendFailed, HoldFailed, NoRoom):
        if caller.signature is not None:
            yield Blocking(partial(release_signature, caller))
        raise
    answer = dialect.answer(request, told, receipts)
    return msgspec.structs.replace(answer, cookie=cookie) if cookie is not None else answer
