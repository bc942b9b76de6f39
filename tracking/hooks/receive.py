"""A foreign system knocks: verify, map, append, answer. What is verified is never lost, what is not leaves a count.

The answers are those that senders act on: 200 for whatever is ours by now, an event or not; 401 and 403 for what is not
believed; 429 and 503 where they should come again later.
"""

from collections.abc import Mapping
from urllib.parse import parse_qs
from uuid import UUID

from tracking.admission import admit_request
from tracking.caller import Caller
from tracking.event import Rejection
from tracking.hooks.diary import Diary, Entry, Outcome, Sample
from tracking.hooks.hold import append_mapped, find_problem, find_profile, find_rejection, hold, map_body
from tracking.hooks.known import HookUnreadable, KnownHook, find_hook
from tracking.intake import Intake
from tracking.log.append import AppendFailed
from tracking.quarantine import HoldFailed
from tracking.registry import KnownSource
from tracking.schema.validate import TOO_DEEP
from tracking.steps import run_steps
from tracking.wire.body import inflate
from tracking.wire.hooks.map_payload import Mapped, Result
from tracking.wire.hooks.payload import MAX_PAYLOAD
from tracking.wire.hooks.signatures import Attempt, verify
from tracking.wire.request import WireError, WireRequest, WireResponse

MAX_HEADERS = 30
MAX_HEADER = 500
_KEPT = ("x-", "webhook-", "svix-", "ce-")
_SECRET = (
    "secret",
    "token",
    "signature",
    "hmac",
    "auth",
    "api-key",
    "apikey",
    "write-key",
    "cookie",
    "forwarded",
    "real-ip",
    "client-ip",
)
_LATER_SECONDS = 60
_MUCH_LATER_SECONDS = 3_600


def answer_hook(request: WireRequest, source_id: int, name: str, intake: Intake, diary: Diary) -> WireResponse:
    """Serve one webhook. Never raises for anything that its sender did."""
    try:
        hook = find_hook(source_id, name)
    except HookUnreadable:
        return _ask_again("hook_unreadable", "This webhook's settings cannot be read for now.", _MUCH_LATER_SECONDS)
    if hook is None:
        return WireError(404, "unknown_hook", "No webhook is expected at this address.").answer({})
    source = intake.registry.by_id.get(hook.source_id)
    if not hook.is_enabled or source is None:
        return _ask_again("hook_disabled", "This webhook is switched off for now.", _MUCH_LATER_SECONDS)
    try:
        return _receive(request, hook, source, intake, diary)
    except WireError as error:
        diary.note(Entry(hook_id=hook.id, at=intake.now, outcome=Outcome.FAILED, failure=error.message))
        return error.answer({} if error.retry_after is None else {"Retry-After": str(error.retry_after)})
    except RecursionError:
        diary.note(Entry(hook_id=hook.id, at=intake.now, outcome=Outcome.FAILED, failure=TOO_DEEP))
        return WireError(400, "too_deep", TOO_DEEP).answer({})
    except (AppendFailed, HoldFailed):
        return answer_unavailable()


def answer_unavailable() -> WireResponse:
    """Answer while nothing can be stored."""
    return _ask_again("unavailable", "It could not be stored just now. Send it again.", _LATER_SECONDS)


def _receive(request: WireRequest, hook: KnownHook, source: KnownSource, intake: Intake, diary: Diary) -> WireResponse:
    _check_size(request.body)
    _check_sender(request, hook, intake)
    # Behind the signature: strangers must not use up what the source may send.
    run_steps(admit_request(Caller(source=source, is_public=False, origin=None)))
    body = inflate(request.body)
    _check_size(body)
    headers = choose_headers(request.headers, hook)
    mapped = map_body(hook, body, headers)
    problem = find_problem(mapped)
    outcome = Outcome.IGNORED if mapped.result is Result.IGNORED else Outcome.HELD
    event_id: UUID | None = None
    if mapped.result is Result.EVENT:
        receipt = append_mapped(mapped, source, intake)
        problem = find_rejection(receipt)
        outcome = Outcome.ACCEPTED if problem is None else Outcome.HELD
        event_id = receipt.id
    if problem is not None:
        hold(hook, body, headers, problem, mapped, intake.now)
    sample = Sample(headers=headers, body=body, profile_id=find_profile(mapped, source.id), event_id=event_id)
    diary.note(Entry(hook_id=hook.id, at=intake.now, outcome=outcome, sample=sample))
    return WireResponse(status=200, body=_describe(outcome, problem, mapped))


def _check_size(body: bytes) -> None:
    if len(body) > MAX_PAYLOAD:
        raise WireError(413, "body_too_large", f"A payload holds at most {MAX_PAYLOAD} bytes.")


def _check_sender(request: WireRequest, hook: KnownHook, intake: Intake) -> None:
    """The signature is over the bytes as they came."""
    tokens = parse_qs(request.query).get("token", [None]) if "token=" in request.query else [None]
    attempt = Attempt(headers=request.headers, body=request.body, token=tokens[0])
    secrets = hook.list_secrets(intake.now)
    if not secrets:
        raise WireError(401, "secret_unreadable", "The webhook's secret cannot be read: enter it again.")
    refusal = verify(hook.style, attempt, header=hook.header, secrets=secrets, now=intake.now)
    if refusal is not None:
        raise WireError(refusal.status, refusal.code, refusal.message)


def choose_headers(headers: Mapping[str, str], hook: KnownHook) -> dict[str, str]:
    """Return the headers that a mapping may name: none that proves anything or tells where somebody is."""
    own = hook.header.lower()
    chosen = {
        name: value[:MAX_HEADER]
        for name, value in headers.items()
        if name.startswith(_KEPT) and name != own and not any(part in name for part in _SECRET)
    }
    return dict(sorted(chosen.items())[:MAX_HEADERS])


def _describe(outcome: Outcome, problem: Rejection | None, mapped: Mapped) -> dict[str, str | None]:
    """Say it to whoever reads the sender's own list of deliveries."""
    if problem is not None:
        return {"outcome": outcome.value, "code": problem.code, "field": problem.field, "message": problem.message}
    if outcome is Outcome.IGNORED:
        return {"outcome": outcome.value, "message": mapped.notes[-1].message}
    return {"outcome": outcome.value}


def _ask_again(code: str, message: str, seconds: int) -> WireResponse:
    return WireError(503, code, message).answer({"Retry-After": str(seconds)})
