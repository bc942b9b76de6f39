"""Writing rows of the log on a connection: the one way for the appender, the evaluator and the scans."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from engagement.lib.records import pack_encoded
from tracking.event import NewEvent
from tracking.log.statements import APPEND, APPEND_WITH_DEDUP, REGISTER
from tracking.sign_ins import tell_devices

Connection = psycopg.Connection[tuple[Any, ...]]


class Row(msgspec.Struct, frozen=True):
    """An event and its encoding, made by the request's thread so that the appender only joins.

    `before` is what is written before it, each with a comma behind it: what its sign-in tells the devices' lanes.
    """

    event: NewEvent
    encoded: bytes
    before: bytes = b""


def encode_row(event: NewEvent) -> Row:
    """Encode an event for the log."""
    told = tell_devices(event)
    before = b"".join([msgspec.json.encode(one) + b"," for one in told]) if told else b""
    return Row(event, msgspec.json.encode(event), before)


def write_batch(connection: Connection, rows: Sequence[Row]) -> list[UUID]:
    """Write rows in a transaction of their own, in one round trip; return the id of each as it stands in the log.

    The connection is in autocommit mode, where the statements of a pipeline are one transaction. Raises psycopg.Error;
    the transaction is then rolled back and the connection closed: of what an aborted pipeline was to prepare, server
    and client no longer think the same.
    """
    statement, parameter = _prepare(rows)
    try:
        with connection.pipeline():
            connection.execute(REGISTER)
            cursor = connection.execute(statement, (parameter,))
        return _read_ids(rows, cursor)
    except psycopg.Error:
        connection.close()
        raise


def write_within(connection: Connection, rows: Sequence[Row]) -> list[UUID]:
    """Write rows as the last statements of the caller's transaction; return the id of each."""
    if not rows:
        return []
    statement, parameter = _prepare(rows)
    connection.execute(REGISTER)
    return _read_ids(rows, connection.execute(statement, (parameter,)))


def _prepare(rows: Sequence[Row]) -> tuple[str, Jsonb]:
    needs_dedup = any(row.event.dedup_key is not None for row in rows)
    encoded = b"[" + b",".join([row.before + row.encoded for row in rows]) + b"]"
    return APPEND_WITH_DEDUP if needs_dedup else APPEND, pack_encoded(encoded)


def _read_ids(rows: Sequence[Row], cursor: psycopg.Cursor[tuple[Any, ...]]) -> list[UUID]:
    if cursor.description is None:
        return [row.event.id for row in rows]
    known = dict(cursor.fetchall())
    return [known.get(row.event.dedup_key, row.event.id) for row in rows]
