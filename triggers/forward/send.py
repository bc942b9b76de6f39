"""Sending parcels: strands side by side, each in its order, and nothing more once the other side shuts its door."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event
from time import monotonic
from uuid import UUID

import msgspec
import structlog

from engagement.lib.http import Unreachable, post
from triggers.forward.copies import Copy
from triggers.forward.kinds.base import Kind, Parcel, Reply, Result, Verdict

SENDERS = 8
PATIENCE = 45.0

log = structlog.get_logger()


class Outcome(msgspec.Struct, kw_only=True):
    """What became of copies. `refused` are those that were refused for good, with reasons; `trouble` shut the door."""

    sent: set[UUID] = msgspec.field(default_factory=set)
    refused: dict[UUID, str] = msgspec.field(default_factory=dict)
    trouble: Verdict | None = None

    def is_settled(self, copy: Copy) -> bool:
        """Whether a copy needs no further try."""
        return copy.id in self.sent or copy.id in self.refused

    def add(self, other: "Outcome") -> None:
        """Count what another strand did."""
        self.sent |= other.sent
        self.refused |= other.refused
        self.trouble = self.trouble or other.trouble


class _Strand:
    """One strand on its way. `halt` is shared: whoever meets a shut door stops the others too."""

    def __init__(self, kind: Kind, halt: Event, deadline: float) -> None:
        self.kind = kind
        self.halt = halt
        self.deadline = deadline
        self.outcome = Outcome()

    def run(self, parcels: Sequence[Parcel]) -> Outcome:
        """Send parcels one after the other."""
        for parcel in parcels:
            if not self._send(parcel):
                break
        return self.outcome

    def _send(self, parcel: Parcel) -> bool:
        """Send one, by halves where all of it was refused; return whether the strand may go on."""
        if self.halt.is_set() or monotonic() >= self.deadline:
            return False
        verdict, _ = attempt(self.kind, parcel)
        if verdict.result in (Result.HELD, Result.GONE):
            self.outcome.trouble = verdict
            self.halt.set()
            return False
        if verdict.result is Result.REFUSED and len(parcel.copies) > 1:
            middle = len(parcel.copies) // 2
            halves = (parcel.copies[:middle], parcel.copies[middle:])
            return all(self._send(piece) for half in halves for strand in self.kind.pack(half) for piece in strand)
        self._note(parcel, verdict)
        return True

    def _note(self, parcel: Parcel, verdict: Verdict) -> None:
        for place, copy in enumerate(parcel.copies):
            if verdict.result is Result.REFUSED:
                self.outcome.refused[copy.id] = verdict.reason
            elif place in verdict.refused:
                self.outcome.refused[copy.id] = verdict.refused[place]
            else:
                self.outcome.sent.add(copy.id)


def send_strands(kind: Kind, strands: Sequence[Sequence[Parcel]], *, is_probe: bool) -> Outcome:
    """Send all; a probe begins with one parcel alone, and goes on when that was taken."""
    total = Outcome()
    if not strands:
        return total
    halt, deadline = Event(), monotonic() + PATIENCE
    senders = 1 if is_probe else SENDERS
    with ThreadPoolExecutor(max_workers=senders, thread_name_prefix="copies") as pool:
        for outcome in pool.map(lambda parcels: _Strand(kind, halt, deadline).run(parcels), strands):
            total.add(outcome)
    return total


def pack_copies(kind: Kind, copies: Sequence[Copy]) -> tuple[list[list[Parcel]], dict[UUID, str]]:
    """Return strands of parcels, and the copies that cannot be written in this kind's format, with reasons."""
    try:
        return kind.pack(copies), {}
    except Exception as error:
        if len(copies) <= 1:
            log.error("copy_not_written", copy_ids=[str(copy.id) for copy in copies], exc_info=error)
            reason = f"It cannot be written in the format of this destination: {error}"
            return [], {copy.id: reason for copy in copies}
    # One that cannot be written must not stop its lane: each alone, and the others together.
    refused: dict[UUID, str] = {}
    for copy in copies:
        refused |= pack_copies(kind, [copy])[1]
    return kind.pack([copy for copy in copies if copy.id not in refused]), refused


def attempt(kind: Kind, parcel: Parcel, *, is_trial: bool = False) -> tuple[Verdict, Reply | None]:
    """Make one request; return what it came to, and the answer if there was any. Never raises."""
    now = datetime.now(UTC)
    try:
        answer = post(parcel.url, content=parcel.body, headers=parcel.headers | kind.sign(parcel, now))
        reply = Reply(status=answer.status, headers=answer.headers, body=answer.body)
        return (kind.judge_trial if is_trial else kind.judge)(parcel, reply, now), reply
    except Unreachable as error:
        return Verdict(result=Result.HELD, reason=str(error)), None
    except Exception as error:
        log.error("copy_failed", exc_info=error)
        return Verdict(result=Result.HELD, reason=f"{type(error).__name__}: {error}"), None
