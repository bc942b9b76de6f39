"""What came at the hooks lately, for the admin: counts by the hour and the last payloads.

Nothing depends on it, so no request waits for it: a thread of its own writes what has gathered, once a second at most.
A process that dies loses a second of it.
"""

import os
import threading
from collections import deque
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
import structlog
from django.db import DatabaseError, connection, transaction

from engagement.lib.ids import compute_boundary
from tracking.erasure.tombstones import Tombstone, hold_tombstones, is_erased
from tracking.models import HookPayload

KEPT_PAYLOADS = 10
MAX_KEPT_BYTES = 256 * 1024
"""A larger payload is counted and not kept to be looked at."""

_PAUSE_SECONDS = 1.0
_COUNT = """
insert into hook_count as kept (hook_id, hour, accepted, ignored, held, failed,
                                last_received_at, last_failed_at, last_failure)
select x.hook_id, hour, accepted, ignored, held, failed, last_received_at, last_failed_at, last_failure
  from jsonb_to_recordset(%s::jsonb) as x (
       hook_id bigint, hour timestamptz, accepted integer, ignored integer, held integer, failed integer,
       last_received_at timestamptz, last_failed_at timestamptz, last_failure text)
 where exists (select from tracking_hook where id = x.hook_id)
 order by x.hook_id, hour
on conflict (hook_id, hour) do update set
    accepted = kept.accepted + excluded.accepted,
    ignored = kept.ignored + excluded.ignored,
    held = kept.held + excluded.held,
    failed = kept.failed + excluded.failed,
    last_received_at = greatest(kept.last_received_at, excluded.last_received_at),
    last_failed_at = greatest(kept.last_failed_at, excluded.last_failed_at),
    last_failure = coalesce(nullif(excluded.last_failure, ''), kept.last_failure)
"""
_KEEP = """
insert into hook_payload (hook_id, received_at, profile_id, outcome, headers, body)
select %s, %s, %s, %s, %s::jsonb, %s where exists (select from tracking_hook where id = %s)
"""
_PRUNE = """
delete from hook_payload where hook_id = %s and id not in (
    select id from hook_payload where hook_id = %s order by received_at desc, id desc limit %s)
"""

log = structlog.get_logger()


class Outcome(StrEnum):
    """What became of a payload. A failed one was not believed, or could not be read."""

    ACCEPTED = "accepted"
    IGNORED = "ignored"
    HELD = "held"
    FAILED = "failed"


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A payload to be shown, with whom it is about and the event that it became: of a retry the first one's."""

    headers: dict[str, str]
    body: bytes
    profile_id: UUID | None
    event_id: UUID | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One payload that came. `failure` is a sentence."""

    hook_id: int
    at: datetime
    outcome: Outcome
    failure: str = ""
    sample: Sample | None = None


class Diary:
    """The entries of one process on their way to the database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._has_entries = threading.Event()
        self._is_closed = threading.Event()
        self._counts: dict[tuple[int, datetime], dict[str, Any]] = {}
        self._samples: dict[int, deque[Entry]] = {}
        self._thread = threading.Thread(target=self._run, name="hook-diary", daemon=True)
        self._thread.start()

    def note(self, entry: Entry) -> None:
        """Take an entry; it is written within about a second."""
        with self._lock:
            self._count(entry)
            if entry.sample is not None and len(entry.sample.body) <= MAX_KEPT_BYTES:
                self._samples.setdefault(entry.hook_id, deque(maxlen=KEPT_PAYLOADS)).append(entry)
        self._has_entries.set()

    def flush(self) -> None:
        """Write what has gathered."""
        with self._writing:
            with self._lock:
                counts, samples = self._counts, self._samples
                self._counts, self._samples = {}, {}
            if not counts:
                return
            try:
                _write(list(counts.values()), samples)
            except DatabaseError as error:
                log.warning("hook_diary_lost", error=str(error))

    def close(self) -> None:
        """Write what has gathered and end the thread."""
        self._is_closed.set()
        self._has_entries.set()
        self._thread.join(5)
        self.flush()

    def _count(self, entry: Entry) -> None:
        key = (entry.hook_id, entry.at.replace(minute=0, second=0, microsecond=0))
        row = self._counts.get(key)
        if row is None:
            row = self._counts[key] = {"hook_id": key[0], "hour": key[1], "last_failure": ""}
            row |= dict.fromkeys([outcome.value for outcome in Outcome], 0) | {
                "last_received_at": None,
                "last_failed_at": None,
            }
        row[entry.outcome.value] += 1
        if entry.outcome is Outcome.FAILED:
            row |= {"last_failed_at": entry.at, "last_failure": entry.failure}
        else:
            row["last_received_at"] = entry.at

    def _run(self) -> None:
        while not self._is_closed.is_set():
            self._has_entries.wait()
            self._is_closed.wait(_PAUSE_SECONDS)
            self._has_entries.clear()
            self.flush()
            # Web servers pool connections: an idle one is given back.
            connection.close()


def _write(counts: list[dict[str, Any]], samples: dict[int, deque[Entry]]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_COUNT, [msgspec.json.encode(counts).decode()])
        people = {entry.sample.profile_id for entries in samples.values() for entry in entries if entry.sample}
        tombstones = hold_tombstones(connection.connection, filter(None, people))
        for hook_id, entries in sorted(samples.items()):
            for entry in entries:
                if not _is_erased(entry, tombstones):
                    cursor.execute(_KEEP, _describe(entry))
            cursor.execute(_PRUNE, [hook_id, hook_id, KEPT_PAYLOADS])


def _is_erased(entry: Entry, tombstones: dict[UUID, Tombstone]) -> bool:
    """Whether whom a payload is about was erased after it came, a second ago, or after what a retry tells happened."""
    sample = entry.sample
    if sample is None or sample.profile_id is None:
        return False
    marks = [compute_boundary(entry.at), *([sample.event_id] if sample.event_id is not None else [])]
    return any(is_erased(tombstones, sample.profile_id, mark) for mark in marks)


def _describe(entry: Entry) -> list[Any]:
    sample = entry.sample
    if sample is None:
        raise ValueError("an entry without a payload is only counted")
    headers = msgspec.json.encode(sample.headers).decode()
    return [entry.hook_id, entry.at, sample.profile_id, entry.outcome, headers, sample.body, entry.hook_id]


def list_payloads(hook_id: int) -> list[HookPayload]:
    """Return a hook's last payloads, newest first."""
    return list(HookPayload.objects.filter(hook_id=hook_id).order_by("-received_at", "-id")[:KEPT_PAYLOADS])


_opening = threading.Lock()
_diary: Diary | None = None
_owner: int | None = None


def get_diary() -> Diary:
    """Return the diary of this process, begun when it is first needed and again after a fork."""
    global _diary, _owner
    if _diary is None or _owner != os.getpid():
        with _opening:
            if _diary is None or _owner != os.getpid():
                _diary, _owner = Diary(), os.getpid()
    return _diary


def close_diary() -> None:
    """Write what has gathered and forget the diary: before the database goes away."""
    global _diary
    with _opening:
        if _diary is not None and _owner == os.getpid():
            _diary.close()
        _diary = None
