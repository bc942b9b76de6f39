"""Sending parcels: strands side by side, each in its order.

A lane stops at what is not taken; the other lanes go on, for it may be that alone. Only who is told to wait stops all.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event, Lock
from time import monotonic
from uuid import UUID

import msgspec
import structlog

from engagement.lib.http import Unreachable, post
from triggers.forward.copies import Copy
from triggers.forward.kinds.base import (
    Kind,
    Parcel,
    Reply,
    Result,
    Verdict,
    hide_in_words,
    hide_secrets,
    split_lanes,
)

SENDERS = 8
PATIENCE = 45.0
_TRIED_APART = 2
"""Lanes of a request that is tried lane by lane: when so many fail in turn, the others are not tried."""
MOST_REFUSALS = 20
"""Copies in a row: who has refused so many and taken none of them is not asked to refuse the rest."""

log = structlog.get_logger()


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """What a lane came to a stop with. `alone` is the copy, where one alone was not taken."""

    verdict: Verdict
    alone: UUID | None


class Outcome(msgspec.Struct, kw_only=True):
    """What became of copies. `refused` are those that were refused for good, with reasons.

    `troubles` has the lanes that came to a stop. `shut`: nothing more is taken for now, whatever it is. `refusals`: how
    many copies in a row were refused by now; None where none was sent.
    """

    sent: set[UUID] = msgspec.field(default_factory=set)
    refused: dict[UUID, str] = msgspec.field(default_factory=dict)
    troubles: dict[int, Trouble] = msgspec.field(default_factory=dict)
    shut: Verdict | None = None
    refusals: int | None = None

    def is_settled(self, copy: Copy) -> bool:
        """Whether a copy needs no further try."""
        return copy.id in self.sent or copy.id in self.refused

    def add(self, other: "Outcome") -> None:
        """Count what another strand did."""
        self.sent |= other.sent
        self.refused |= other.refused
        self.troubles |= other.troubles
        self.shut = self.shut or other.shut


class Refusals:
    """Counts copies that are refused in a row, by all strands."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._lock = Lock()

    def weigh(self, parcel: Parcel, verdict: Verdict) -> Verdict:
        """Count; return the verdict, or where too many were refused before that nothing is taken."""
        refused = len(parcel.copies) if verdict.result is Result.REFUSED else len(verdict.refused)
        if verdict.result not in (Result.SENT, Result.REFUSED):
            return verdict
        if refused == len(parcel.copies) > 1:
            # It is not known yet which; nor, where each is named, whether anything is taken at all.
            return msgspec.structs.replace(verdict, result=Result.REFUSED)
        with self._lock:
            if refused < len(parcel.copies):
                self.number = 0
            elif self.number >= MOST_REFUSALS:
                return Verdict(result=Result.SHUT, reason=f"It refuses everything. {_say_refusal(verdict)}")
            else:
                self.number += refused
        return verdict


def _say_refusal(verdict: Verdict) -> str:
    return verdict.reason or next(iter(verdict.refused.values()), "")


class _Round(msgspec.Struct, frozen=True, kw_only=True):
    """What strands share. Whoever is told to wait sets `halt`; in `doubtful` lanes what fails is sought by halving."""

    kind: Kind
    doubtful: frozenset[int]
    deadline: float
    halt: Event
    refusals: Refusals

    @property
    def is_over(self) -> bool:
        """Whether nothing more is sent."""
        return self.halt.is_set() or monotonic() >= self.deadline


class _Strand:
    """One strand on its way. What belongs to a lane that has stopped is not sent."""

    def __init__(self, shared: _Round) -> None:
        self.shared = shared
        self.stopped: set[int] = set()
        self.outcome = Outcome()

    def run(self, parcels: Sequence[Parcel]) -> Outcome:
        """Send parcels one after the other."""
        for parcel in parcels:
            left = [copy for copy in parcel.copies if copy.lane not in self.stopped]
            if len(left) == len(parcel.copies):
                self._send(parcel)
            else:
                self._send_anew(left)
        return self.outcome

    def _send(self, parcel: Parcel) -> None:
        if self.shared.is_over:
            return
        verdict = self.shared.refusals.weigh(parcel, attempt(self.shared.kind, parcel)[0])
        if verdict.result in (Result.SHUT, Result.GONE):
            self.outcome.shut = verdict
            self.shared.halt.set()
        elif verdict.result is Result.HELD:
            self._hold(parcel, verdict)
        elif verdict.result is Result.REFUSED and len(parcel.copies) > 1:
            self._halve(parcel.copies)
        else:
            self._note(parcel, verdict)

    def _hold(self, parcel: Parcel, verdict: Verdict) -> None:
        """Stop the lane at what was not taken; find out first which lane's it is, and in a doubtful one which copy."""
        lanes = split_lanes(parcel.copies)
        if len(lanes) > 1:
            self._send_apart(lanes)
        elif len(parcel.copies) > 1 and parcel.copies[0].lane in self.shared.doubtful:
            self._halve(parcel.copies)
        else:
            lane, alone = parcel.copies[0].lane, parcel.copies[0].id if len(parcel.copies) == 1 else None
            self.outcome.troubles[lane] = Trouble(verdict=verdict, alone=alone)
            self.stopped.add(lane)

    def _send_apart(self, lanes: Sequence[Sequence[Copy]]) -> None:
        sent = len(self.outcome.sent)
        for number, copies in enumerate(lanes):
            if number >= _TRIED_APART and len(self.outcome.sent) == sent:
                self.stopped |= {copy.lane for rest in lanes[number:] for copy in rest}
                break
            self._send_anew(copies)

    def _halve(self, copies: Sequence[Copy]) -> None:
        middle = len(copies) // 2
        self._send_anew(copies[:middle])
        self._send_anew(copies[middle:])

    def _send_anew(self, copies: Sequence[Copy]) -> None:
        self.run([parcel for strand in self.shared.kind.pack(copies) for parcel in strand])

    def _note(self, parcel: Parcel, verdict: Verdict) -> None:
        for place, copy in enumerate(parcel.copies):
            if verdict.result is Result.REFUSED:
                self.outcome.refused[copy.id] = verdict.reason
            elif place in verdict.refused:
                self.outcome.refused[copy.id] = verdict.refused[place]
            else:
                self.outcome.sent.add(copy.id)


def send_strands(
    kind: Kind,
    strands: Sequence[Sequence[Parcel]],
    *,
    is_probe: bool,
    doubtful: frozenset[int] = frozenset(),
    refusals: int = 0,
) -> Outcome:
    """Send all; a probe begins with one parcel alone, and goes on when that was taken."""
    total = Outcome()
    if not strands:
        return total
    counted = Refusals(refusals)
    shared = _Round(kind=kind, doubtful=doubtful, deadline=monotonic() + PATIENCE, halt=Event(), refusals=counted)
    senders = 1 if is_probe else SENDERS
    with ThreadPoolExecutor(max_workers=senders, thread_name_prefix="copies") as pool:
        for outcome in pool.map(lambda parcels: _Strand(shared).run(parcels), strands):
            total.add(outcome)
    total.refusals = counted.number
    return total


def pack_claimed(
    kind: Kind, copies: Sequence[Copy], doubtful: frozenset[int]
) -> tuple[list[list[Parcel]], dict[UUID, str]]:
    """Return strands, and the copies that cannot be written. A doubtful lane's is its own and begins with one copy."""
    strands, refused = pack_copies(kind, [copy for copy in copies if copy.lane not in doubtful])
    for lane in split_lanes([copy for copy in copies if copy.lane in doubtful]):
        first, unwritten = pack_copies(kind, lane[:1])
        rest, unwritten_too = pack_copies(kind, lane[1:])
        strands.append([parcel for strand in first + rest for parcel in strand])
        refused |= unwritten | unwritten_too
    return strands, refused


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
    """Make one request; return what it came to, and the answer if there was any, without our secrets. Never raises."""
    now = datetime.now(UTC)
    try:
        answer = post(parcel.url, content=parcel.body, headers=parcel.headers | kind.sign(parcel, now))
        reply = hide_secrets(kind, Reply(status=answer.status, headers=answer.headers, body=answer.body))
        return (kind.judge_trial if is_trial else kind.judge)(parcel, reply, now), reply
    except Unreachable as error:
        return Verdict(result=Result.HELD, reason=hide_in_words(kind, str(error))), None
    except Exception as error:
        log.error("copy_failed", exc_info=error)
        return Verdict(result=Result.HELD, reason=hide_in_words(kind, f"{type(error).__name__}: {error}")), None
