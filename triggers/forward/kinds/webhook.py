"""Any server of one's own, by Standard Webhooks 1.0: signed, with an id that stays the same on every try."""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from secrets import token_bytes
from typing import Annotated, Any, ClassVar

import msgspec

from engagement.lib.ids import compute_id
from triggers.forward.copies import Copy, What
from triggers.forward.kinds.base import Kind, Parcel, Reply, Result, Verdict, encode, judge_status, split_lanes

SECRET_PREFIX = "whsec_"
MOST_IN_REQUEST = 100
_GONE = 410


class Webhook(Kind, frozen=True, kw_only=True):
    """An address, the secret that signs what goes there, and how many copies a request may hold."""

    SECRETS: ClassVar[tuple[str, ...]] = ("signing_secret",)

    url: str
    signing_secret: str
    per_request: Annotated[int, msgspec.Meta(ge=1, le=MOST_IN_REQUEST)] = 1

    def __post_init__(self) -> None:
        """Refuse a secret that nothing can be signed with."""
        read_secret(self.signing_secret)

    def pack(self, copies: Sequence[Copy]) -> list[list[Parcel]]:
        """Return a strand for each lane."""
        return [self._pack_lane(lane) for lane in split_lanes(copies)]

    def sign(self, parcel: Parcel, now: datetime) -> dict[str, str]:
        """Return the three headers: the time, and with it the signature, is that of this attempt."""
        message_id, timestamp = name_message(parcel.copies), str(int(now.timestamp()))
        signed = f"{message_id}.{timestamp}.".encode() + parcel.body
        digest = hmac.new(read_secret(self.signing_secret), signed, sha256).digest()
        return {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{b64encode(digest).decode()}",
        }

    def judge(self, parcel: Parcel, reply: Reply, now: datetime) -> Verdict:
        """A receiver that says 410 wants nothing more."""
        verdict = judge_status(reply, now)
        return msgspec.structs.replace(verdict, result=Result.GONE) if reply.status == _GONE else verdict

    def _pack_lane(self, copies: Sequence[Copy]) -> list[Parcel]:
        headers = {"Content-Type": "application/json"}
        if self.per_request == 1:
            return [
                Parcel(copies=[copy], url=self.url, body=encode(describe_copy(copy)), headers=headers)
                for copy in copies
            ]
        pieces = [copies[start : start + self.per_request] for start in range(0, len(copies), self.per_request)]
        return [
            Parcel(copies=piece, url=self.url, body=encode(_describe_batch(piece)), headers=headers) for piece in pieces
        ]


def describe_copy(copy: Copy) -> dict[str, Any]:
    """Return a copy as a receiver reads it."""
    data: dict[str, Any] = {
        "id": copy.id,
        "user_id": copy.user_id,
        "profile_id": copy.profile,
        "device_id": copy.device,
    }
    if copy.what is What.EVENT:
        data |= {"name": copy.name, "properties": copy.properties, "source": copy.source}
    elif copy.what is What.ACTIVATION:
        data |= copy.properties
    else:
        data |= {"traits": copy.properties}
    data |= {"occurred_at": copy.occurred_at, "received_at": copy.received_at}
    return {"type": copy.what.value, "timestamp": copy.occurred_at, "data": data}


def _describe_batch(copies: Sequence[Copy]) -> dict[str, Any]:
    return {"type": "batch", "timestamp": copies[0].occurred_at, "data": [describe_copy(copy) for copy in copies]}


def name_message(copies: Sequence[Copy]) -> str:
    """Return the id of a message: the copy's own, or one made of those of all its copies."""
    return str(copies[0].id if len(copies) == 1 else compute_id("copies", *(copy.id.hex for copy in copies)))


def make_secret() -> str:
    """Return a new secret."""
    return SECRET_PREFIX + b64encode(token_bytes(32)).decode()


def read_secret(text: str) -> bytes:
    """Return the key within a secret; raises ValueError for what is none of 24 to 64 bytes."""
    if not text.startswith(SECRET_PREFIX):
        raise ValueError(f"a secret begins with {SECRET_PREFIX}")
    key = b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    if not 24 <= len(key) <= 64:
        raise ValueError("a secret holds 24 to 64 bytes")
    return key
