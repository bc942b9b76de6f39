"""Connections of our own to the installation's database, for the paths that Django's would slow down.

Django hands `prepare_threshold=None` to psycopg, which then never prepares; the log's statements run thousands of
times over many partitions, where planning costs more than running.
"""

from typing import Any

import msgspec
import psycopg
from django.db import connections
from psycopg.types.json import set_json_loads
from psycopg_pool.base import AttemptWithBackoff

_DJANGO_ONLY = ("cursor_factory", "context", "prepare_threshold", "pool", "client_encoding")
_TRANSACTION_TIMEOUT_VERSION = 170000

_RECONNECT_SECONDS = 0.5


def steady_pool() -> None:
    """Have Django's pool of connections try again every half second while the database is away.

    It would wait twice as long after each failure, and has no setting for it but one that ends trying: then whoever
    waits for a connection waits in vain.
    """
    AttemptWithBackoff.INITIAL_DELAY = _RECONNECT_SECONDS
    AttemptWithBackoff.DELAY_BACKOFF = 1.0


def open_connection(application: str, *, timeout_ms: int) -> psycopg.Connection[tuple[Any, ...]]:
    """Open an autocommit connection that prepares what it runs and gives up what hangs.

    `timeout_ms` bounds a transaction: a writer of the log that hangs holds every reader back. PostgreSQL before 17
    has no such setting; statement and idle time-outs bound it there.
    """
    django_connection = connections["default"]
    params = dict(django_connection.get_connection_params())
    for name in _DJANGO_ONLY:
        params.pop(name, None)
    params["connect_timeout"] = 5
    connection = psycopg.connect(**params, autocommit=True, prepare_threshold=1, application_name=application)
    set_json_loads(msgspec.json.decode, connection)
    _set_timeouts(connection, timeout_ms)
    return connection


def _set_timeouts(connection: psycopg.Connection[tuple[Any, ...]], timeout_ms: int) -> None:
    settings = {
        "statement_timeout": timeout_ms,
        "idle_in_transaction_session_timeout": timeout_ms,
        "plan_cache_mode": "force_generic_plan",
        "timezone": "UTC",
        "jit": "off",
        # Every statement of ours looks for a few rows by key. What reads a table whole looks cheaper while statistics
        # are old or lacking, and then costs more with each event that is logged.
        "enable_seqscan": "off",
        "enable_hashjoin": "off",
        "enable_mergejoin": "off",
    }
    if connection.info.server_version >= _TRANSACTION_TIMEOUT_VERSION:
        settings["transaction_timeout"] = timeout_ms
    for name, value in settings.items():
        connection.execute("select set_config(%s, %s, false)", (name, str(value)), prepare=False)
