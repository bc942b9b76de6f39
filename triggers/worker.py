"""What a worker process keeps between tasks: a connection that prepares its statements, and the compiled rules."""

import os
import threading

import psycopg

from engagement.lib.postgres import open_connection
from tracking.log.write import Connection
from triggers.evaluate.run import Evaluator
from triggers.rulebook import RuleBook

TRANSACTION_TIMEOUT_MS = 30_000


class Worker:
    """A thread's own connection, evaluator and rules. Opened again after a fork or a lost connection."""

    def __init__(self) -> None:
        self.connection: Connection = open_connection("engagement-worker", timeout_ms=TRANSACTION_TIMEOUT_MS)
        self.evaluator = Evaluator(self.connection)
        self.owner = os.getpid()

    @property
    def book(self) -> RuleBook:
        """The rules, compiled."""
        return self.evaluator.book

    @property
    def is_usable(self) -> bool:
        """Whether the connection is this process's own and alive."""
        broken = self.connection.closed or self.connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE
        return self.owner == os.getpid() and not broken


_local = threading.local()


def get_worker() -> Worker:
    """Return this thread's worker."""
    worker: Worker | None = getattr(_local, "worker", None)
    if worker is None or not worker.is_usable:
        worker = _local.worker = Worker()
    return worker


def close_worker() -> None:
    """Close this thread's connection: before the database goes away."""
    worker: Worker | None = getattr(_local, "worker", None)
    if worker is not None and worker.owner == os.getpid():
        worker.connection.close()
    _local.worker = None
