"""What a channel can do, and what it says of a try."""

from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

import msgspec

from triggers.policy.inputs import AddressStanding
from triggers.render.liquid import RenderedMessage


class SendResult(StrEnum):
    """What became of a try: taken, worth another, refused for good, or nobody knows."""

    ACCEPTED = "accepted"
    RETRY = "retry"
    REJECTED = "rejected"
    IN_DOUBT = "in_doubt"


class SendOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """A result with the other side's words, cut at 500 characters. `cause` is for the log: it holds no address."""

    result: SendResult
    detail: str = ""
    cause: str = ""


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """The exact message, as it is kept and sent."""

    id: UUID
    to: str
    sender: str
    subject: str
    html: str
    text: str
    headers: dict[str, str]


class Session(Protocol):
    """A connection to the other side, for several messages."""

    def send(self, message: Prepared) -> SendOutcome:
        """Try once. Never raises: whatever happens is an outcome."""

    def close(self) -> None:
        """End the connection."""


class Channel(Protocol):
    """A way to reach people."""

    name: str

    def find_address(self, traits: dict[str, Any]) -> str:
        """Return the person's address on this channel, '' without one."""

    def check_address(self, address: str) -> AddressStanding:
        """Say whether an address can be right."""

    def prepare(self, delivery_id: UUID, address: str, message: RenderedMessage) -> Prepared:
        """Return the exact message."""

    def open_session(self) -> Session:
        """Return a session; the connection is made with its first message."""
