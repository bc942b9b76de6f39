"""Group commit: the requests of a process hand their events to one appender.

It writes all that has gathered in a single statement as soon as its last commit has returned, never waiting on
purpose, and wakes threads and event loops after the commit. What it accepted is on disk.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from uuid import UUID

import msgspec
import psycopg
from psycopg import errors

from engagement.lib.postgres import open_connection
from tracking.log.write import Connection, Row, write_batch

MAX_ROWS = 1_000
"""In one statement. Two large requests are not written as one: while one is written, the other's thread goes on."""
TRANSACTION_TIMEOUT_MS = 5_000
_REPEATABLE = (errors.DeadlockDetected, errors.SerializationFailure)
_BAD_ROW_CLASSES = ("22", "23")
_PAUSE_BEFORE_RECONNECT = 0.05
_NO_ANSWER = "the database did not answer in time"


class Unstorable(msgspec.Struct, frozen=True):
    """The database refused this row, and only this row: `message` says why."""

    message: str


class Stored(msgspec.Struct, frozen=True):
    """The row is on disk under `id`: that of an earlier event where this one was a retry."""

    id: UUID


Outcome = Stored | Unstorable


class AppendFailed(Exception):
    """It is not known whether the rows are on disk: the client must send them again."""


class _Job:
    """Rows to write. A thread waits for `done`, a coroutine for `future`."""

    __slots__ = ("deadline", "done", "failure", "future", "outcomes", "rows")

    def __init__(self, rows: Sequence[Row], timeout: float, future: asyncio.Future[None] | None = None) -> None:
        self.rows = rows
        self.deadline = time.monotonic() + timeout
        self.future = future
        self.done = threading.Lock()
        self.done.acquire()
        self.outcomes: list[Outcome] = []
        self.failure: BaseException | None = None

    def read(self) -> list[Outcome]:
        """Return what became of the rows. Raises AppendFailed."""
        if self.failure is not None:
            raise AppendFailed(str(self.failure)) from self.failure
        return self.outcomes


class Appender:
    """One thread with one connection. `on_commit` is called after each commit and must not block."""

    def __init__(self, on_commit: Callable[[], None] | None = None) -> None:
        self._on_commit = on_commit
        self._jobs: list[_Job] = []
        self._wake = threading.Condition()
        self._connection: Connection | None = None
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="appender", daemon=True)
        self._thread.start()

    def append(self, rows: Sequence[Row], timeout: float = 10.0) -> list[Outcome]:
        """Write rows and return an outcome for each, after the commit.

        Raises AppendFailed when the database did not confirm within `timeout` seconds.
        """
        if not rows:
            return []
        job = _Job(rows, timeout)
        self._put(job)
        if not job.done.acquire(timeout=timeout + 1):
            raise AppendFailed(_NO_ANSWER)
        return job.read()

    async def append_async(self, rows: Sequence[Row], timeout: float = 10.0) -> list[Outcome]:
        """As `append`, for a coroutine."""
        if not rows:
            return []
        loop = asyncio.get_running_loop()
        job = _Job(rows, timeout, loop.create_future())
        assert job.future is not None
        timer = loop.call_later(timeout + 1, _give_up, job.future)
        self._put(job)
        try:
            await job.future
        finally:
            timer.cancel()
        return job.read()

    def _put(self, job: _Job) -> None:
        with self._wake:
            self._jobs.append(job)
            self._wake.notify()

    def close(self) -> None:
        """Write what has gathered and end the thread."""
        with self._wake:
            self._is_closed = True
            self._wake.notify()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._jobs and not self._is_closed:
                    self._wake.wait()
                if self._is_closed and not self._jobs:
                    break
                jobs = self._take_jobs()
            self._serve(jobs)
        if self._connection is not None:
            self._connection.close()

    def _take_jobs(self) -> list[_Job]:
        """Take whole jobs up to MAX_ROWS, at least one."""
        count = rows = 0
        for job in self._jobs:
            if count and rows + len(job.rows) > MAX_ROWS:
                break
            rows += len(job.rows)
            count += 1
        taken, self._jobs = self._jobs[:count], self._jobs[count:]
        return taken

    def _serve(self, jobs: list[_Job]) -> None:
        rows = [row for job in jobs for row in job.rows]
        try:
            outcomes = self._write(rows, min(job.deadline for job in jobs))
        except BaseException as error:
            for job in jobs:
                job.failure = error
            _wake(jobs)
            return
        start = 0
        for job in jobs:
            job.outcomes = outcomes[start : start + len(job.rows)]
            start += len(job.rows)
        _wake(jobs)
        if self._on_commit is not None:
            self._on_commit()

    def _write(self, rows: Sequence[Row], deadline: float) -> list[Outcome]:
        """Write, and write again the same rows with the same ids after a lost connection or a deadlock."""
        while True:
            try:
                return [Stored(identifier) for identifier in write_batch(self._connect(), rows)]
            except psycopg.Error as error:
                if (error.sqlstate or "")[:2] in _BAD_ROW_CLASSES:
                    return self._write_halves(rows, deadline, error)
                failure = error
            if isinstance(failure, _REPEATABLE):
                continue
            if not self._is_lost(failure):
                raise failure
            if time.monotonic() >= deadline:
                raise AppendFailed("the database is away") from failure
            self._drop_connection()
            time.sleep(_PAUSE_BEFORE_RECONNECT)

    def _write_halves(self, rows: Sequence[Row], deadline: float, error: psycopg.Error) -> list[Outcome]:
        if len(rows) == 1:
            return [Unstorable(error.diag.message_primary or "The database refused the event.")]
        middle = len(rows) // 2
        return self._write(rows[:middle], deadline) + self._write(rows[middle:], deadline)

    def _is_lost(self, error: psycopg.Error) -> bool:
        """A time-out of the transaction ends the connection too, under an error class of its own."""
        is_closed = self._connection is None or self._connection.closed
        return is_closed or isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)

    def _connect(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = open_connection("engagement-appender", timeout_ms=TRANSACTION_TIMEOUT_MS)
        return self._connection

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _wake(jobs: Sequence[_Job]) -> None:
    """Wake who waits. An event loop is woken once for all of a commit: each call costs it a turn and a system call."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for job in jobs:
        if job.future is None:
            job.done.release()
        else:
            by_loop.setdefault(job.future.get_loop(), []).append(job.future)
    for loop, futures in by_loop.items():
        # The loop of a process that ends may be closed.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_resolve, futures)


def _resolve(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


def _give_up(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_exception(AppendFailed(_NO_ANSWER))
