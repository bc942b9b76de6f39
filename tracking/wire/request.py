"""A request and an answer without a framework, so that every shell shares each line that decides."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec


class WireRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What arrived. Header names are lower-case; `path` has no trailing slash; `body` is as it came.

    `query` is the part of the address behind the question mark, as it came; `address` who is at the other end;
    `received_at` the moment, where somebody looked at a clock.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: str = ""
    address: str = ""
    cookies: Mapping[str, str] = {}
    is_secure: bool = False
    received_at: datetime | None = None


class Cookie(msgspec.Struct, frozen=True, kw_only=True):
    """A cookie to set on the answer. `max_age` in seconds."""

    name: str
    value: str
    max_age: int
    secure: bool


class WireResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered: a status, headers and a JSON body (none for an empty one); bytes go out as they are."""

    status: int
    body: Any = None
    content_type: str = "application/json"
    headers: dict[str, str] = {}
    cookie: Cookie | None = None


class WireError(Exception):
    """The whole request is refused, with a code, a field path and a sentence for the client's developer.

    `retry_after`: seconds after which it may come again.
    """

    def __init__(
        self, status: int, code: str, message: str, field: str | None = None, *, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.retry_after = retry_after

    def answer(self, headers: dict[str, str]) -> WireResponse:
        """Return the answer that says so."""
        body = {"code": self.code, "field": self.field, "message": self.message}
        return WireResponse(status=self.status, body=body, headers=headers)
