"""One JSON parameter for many rows: `jsonb_to_recordset(%s)`, encoded by msgspec."""

from typing import Any

import msgspec
from psycopg.types.json import Jsonb


def pack_rows(rows: Any) -> Jsonb:
    """Return rows (dicts or structs) as the parameter of `jsonb_to_recordset`."""
    return pack_encoded(msgspec.json.encode(rows))


def pack_encoded(encoded: bytes) -> Jsonb:
    """Return an encoded JSON array as the parameter of `jsonb_to_recordset`."""
    return Jsonb(encoded, dumps=_pass_on)


def _pass_on(encoded: bytes) -> bytes:
    return encoded
