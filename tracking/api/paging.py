"""Pages by key: the next one starts behind the last id, however many rows there are."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000


def read_limit(request: Request) -> int:
    """Return `limit`, 1 to 1,000."""
    raw = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not raw.isdecimal() or len(raw) > 4 or not 1 <= int(raw) <= MAX_LIMIT:
        raise ValidationError({"limit": [f"A number from 1 to {MAX_LIMIT}."]}, code="invalid_limit")
    return int(raw)


def read_cursor(request: Request) -> UUID:
    """Return the id behind which the page starts."""
    raw = request.query_params.get("cursor")
    if not raw:
        return UUID(int=0)
    try:
        return UUID(bytes=base64.urlsafe_b64decode(raw + "=="))
    except (ValueError, binascii.Error):
        raise ValidationError({"cursor": ["Not a cursor of this API."]}, code="invalid_cursor") from None


def make_page(request: Request, rows: Sequence[Any], limit: int, describe: Callable[[Any], Any]) -> dict[str, Any]:
    """Return `{"results", "next"}` of up to limit + 1 rows that have an `id`."""
    shown = rows[:limit]
    following = None
    if len(rows) > limit:
        cursor = base64.urlsafe_b64encode(shown[-1].id.bytes).rstrip(b"=").decode()
        query = request.query_params.dict() | {"cursor": cursor}
        following = request.build_absolute_uri(f"{request.path}?{urlencode(query)}")
    return {"results": [describe(row) for row in shown], "next": following}
