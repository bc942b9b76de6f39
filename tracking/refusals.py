"""How much of what a source sends is not taken, kept or not: counted by the minute, and who has begun to break.

No request waits for its count: a thread of its own writes what has gathered, once a second at most. A process that
dies loses a second of it.
"""

import os
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
import structlog
from django.db import DatabaseError, connection
from django.db.models import Sum

from tracking.models import EventCount, RefusalCount, Source

RECENT = timedelta(minutes=5)
BEFORE = timedelta(hours=1)
_LEAST = 5
_MUCH = 0.1
_SOME = 0.02
_JUMP = 3.0
_PAUSE_SECONDS = 1.0
MISFIT = "misfit"
"""Stands for the code where everything that failed was accepted although it does not fit."""
_ADD = """
insert into refusal_count as kept (minute, source_id, code, number) values (%s, %s, %s, %s)
on conflict (minute, source_id, code) do update set number = kept.number + excluded.number
"""

log = structlog.get_logger()


class Tally:
    """The refusals of one process on their way to the database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._has_counts = threading.Event()
        self._is_closed = threading.Event()
        self._counts: Counter[tuple[datetime, int, str]] = Counter()
        self._thread = threading.Thread(target=self._run, name="refusals", daemon=True)
        self._thread.start()

    def note(self, source_id: int, codes: Iterable[str], now: datetime) -> None:
        """Count items that were refused or held, each by its code; written within about a second."""
        minute = now.replace(second=0, microsecond=0)
        with self._lock:
            self._counts.update((minute, source_id, code) for code in codes)
        self._has_counts.set()

    def flush(self) -> None:
        """Write what has gathered."""
        with self._writing:
            with self._lock:
                counts, self._counts = self._counts, Counter()
            if not counts:
                return
            try:
                with connection.cursor() as cursor:
                    # In the order of the key: two processes that write the same counts cannot deadlock.
                    cursor.executemany(_ADD, [(*key, number) for key, number in sorted(counts.items())])
            except DatabaseError as error:
                log.warning("refusals_not_counted", number=counts.total(), error=str(error))

    def close(self) -> None:
        """Write what has gathered and end the thread."""
        self._is_closed.set()
        self._has_counts.set()
        self._thread.join(5)
        self.flush()

    def _run(self) -> None:
        while not self._is_closed.is_set():
            self._has_counts.wait()
            self._is_closed.wait(_PAUSE_SECONDS)
            self._has_counts.clear()
            self.flush()
            # Web servers pool connections: an idle one is given back.
            connection.close()


_opening = threading.Lock()
_tally: Tally | None = None
_owner: int | None = None


def get_tally() -> Tally:
    """Return the tally of this process, begun when it is first needed and again after a fork."""
    global _tally, _owner
    if _tally is None or _owner != os.getpid():
        with _opening:
            if _tally is None or _owner != os.getpid():
                _tally, _owner = Tally(), os.getpid()
    return _tally


def close_tally() -> None:
    """Write what has gathered and forget the tally: before the database goes away."""
    global _tally
    with _opening:
        if _tally is not None and _owner == os.getpid():
            _tally.close()
        _tally = None


class Breaking(msgspec.Struct, frozen=True, kw_only=True):
    """A source of which much is not taken just now. `share` is between 0 and 1, `code` the most frequent reason."""

    source_id: int
    source: str
    number: int
    share: float
    code: str

    @property
    def percent(self) -> int:
        """The share for people; 1 at least."""
        return max(round(self.share * 100), 1)


def find_breaking(now: datetime) -> list[Breaking]:
    """Return the sources of which a tenth is refused, held or misfit, or clearly more than in the hour before."""
    recent, before = _count(now - RECENT, now), _count(now - RECENT - BEFORE, now - RECENT)
    codes = _count_codes(now - RECENT)
    names = dict(Source.objects.values_list("pk", "name"))
    found = []
    for source_id, (failed, total) in recent.items():
        share, earlier = failed / total, _share(before.get(source_id, (0, 0)))
        if source_id in names and failed >= _LEAST and _is_much(share, earlier):
            code = max(codes[source_id], key=lambda code: codes[source_id][code], default=MISFIT)
            found.append(Breaking(source_id=source_id, source=names[source_id], number=failed, share=share, code=code))
    return sorted(found, key=lambda breaking: breaking.number, reverse=True)


def load_refusals_by_minute(since: datetime) -> list[tuple[datetime, int, int]]:
    """Return (minute, source, number) of what was refused or held, in order."""
    rows = RefusalCount.objects.filter(minute__gte=since).values_list("minute", "source_id")
    return list(rows.annotate(total=Sum("number")).order_by("minute", "source_id"))


def _is_much(share: float, earlier: float) -> bool:
    return share >= _MUCH or (share >= _SOME and share >= _JUMP * earlier)


def _share(counted: tuple[int, int]) -> float:
    failed, total = counted
    return failed / total if total else 0.0


def _count(since: datetime, until: datetime) -> dict[int, tuple[int, int]]:
    """Return, for each source, how many items of some minutes failed, and of how many."""
    failed: dict[int, int] = defaultdict(int)
    total: dict[int, int] = defaultdict(int)
    span = {"minute__gte": since.replace(second=0, microsecond=0), "minute__lt": until}
    for source_id, number in RefusalCount.objects.filter(**span).values_list("source_id").annotate(Sum("number")):
        failed[source_id] += number
        total[source_id] += number
    taken = EventCount.objects.filter(**span).values_list("source_id")
    for source_id, received, misfits in taken.annotate(Sum("received"), Sum("misfits")):
        failed[source_id] += misfits
        total[source_id] += received
    return {source_id: (failed[source_id], number) for source_id, number in total.items() if number}


def _count_codes(since: datetime) -> dict[int, dict[str, int]]:
    codes: dict[int, dict[str, int]] = defaultdict(dict)
    rows = RefusalCount.objects.filter(minute__gte=since.replace(second=0, microsecond=0))
    for source_id, code, number in rows.values_list("source_id", "code").annotate(Sum("number")):
        codes[source_id][code] = number
    return codes
