"""Mixpanel by its import, which takes history, says which events it refused, and knows a repeated one by its id."""

from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from triggers.forward.copies import Copy, What
from triggers.forward.kinds.base import Kind, Mapper, Parcel, Reply, Result, Verdict, cut, encode, judge_status

MOST_EVENTS, MOST_PROPERTIES, MOST_NAME = 2_000, 200, 255
_MOST_BYTES = 1_900_000
# Mixpanel's own words: what an app calls so would be read as something else, and is given another name.
_OWN = frozenset({"token", "time", "distinct_id", "length", "bucket"})


class Mixpanel(Kind, frozen=True, kw_only=True):
    """A project by its token. `api_secret`, where given, signs in in the token's place."""

    SECRETS: ClassVar[tuple[str, ...]] = ("project_token", "api_secret")

    project_token: str
    api_secret: str = ""
    project_id: str = ""
    endpoint: str = "https://api.mixpanel.com"

    def pack(self, copies: Sequence[Copy]) -> list[list[Parcel]]:
        """Return one strand, whose requests all lanes share; last what is known of people: that has its own address."""
        events = [copy for copy in copies if copy.what is not What.IDENTIFY]
        people = [copy for copy in copies if copy.what is What.IDENTIFY and copy.user_id is not None]
        query = f"/import?strict=1{f'&project_id={self.project_id}' if self.project_id else ''}"
        parcels = self._wrap(query, events, make_event) + self._wrap("/engage?verbose=1", people, self._make_profile)
        return [parcels] if parcels else []

    def judge(self, parcel: Parcel, reply: Reply, now: datetime) -> Verdict:
        """Read which events were refused; the others of the request were taken."""
        answer = _read_answer(reply)
        if reply.status == 400 and answer.failed_records:
            refused = {failed.index: f"{failed.field} {failed.message}".strip() for failed in answer.failed_records}
            # Names of events that were not sent say nothing of those that were.
            if all(0 <= place < len(parcel.copies) for place in refused):
                return Verdict(result=Result.SENT, refused=refused)
        if reply.status == 200 and answer.status in (0, "0"):
            return Verdict(result=Result.REFUSED, reason=answer.error or "It answered 200 and took nothing.")
        return judge_status(reply, now)

    def list_secrets(self) -> list[str]:
        """Return them also as the header has them."""
        return [*super().list_secrets(), self._encode_user()]

    def _encode_user(self) -> str:
        return b64encode(f"{self.api_secret or self.project_token}:".encode()).decode()

    def _wrap(self, path: str, copies: Sequence[Copy], describe: Mapper) -> list[Parcel]:
        user = f"Basic {self._encode_user()}"
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Authorization": user}
        rows = [(copy, encode(describe(copy))) for copy in copies]
        return [
            Parcel(
                copies=[copy for copy, _ in piece],
                url=self.endpoint.rstrip("/") + path,
                body=b"[" + b",".join(encoded for _, encoded in piece) + b"]",
                headers=headers,
            )
            for piece in cut(rows, MOST_EVENTS, _MOST_BYTES)
        ]

    def _make_profile(self, copy: Copy) -> dict[str, Any]:
        own = {"$token": self.project_token, "$distinct_id": copy.user_id, "$ip": "0"}
        return own | {"$set": copy.properties}


class _Failed(msgspec.Struct):
    index: int
    field: str = ""
    message: str = ""


class _Answer(msgspec.Struct):
    status: Any = None
    error: str | None = None
    failed_records: list[_Failed] = []


def make_event(copy: Copy) -> dict[str, Any]:
    """Return a copy as Mixpanel's import takes it. Its time is in milliseconds."""
    kept = [key for key in sorted(copy.properties) if not key.startswith(("$", "mp_"))][:MOST_PROPERTIES]
    properties = {f"p_{key}" if key in _OWN else key: copy.properties[key] for key in kept}
    properties |= {"time": int(copy.occurred_at.timestamp() * 1000), "$insert_id": str(copy.id)}
    device = copy.device if copy.device or copy.user_id else copy.profile
    if device is not None:
        properties["$device_id"] = device
    if copy.user_id is not None:
        properties["$user_id"] = copy.user_id
    properties["distinct_id"] = copy.user_id if copy.user_id is not None else f"$device:{device}"
    return {"event": copy.name[:MOST_NAME], "properties": properties}


def _read_answer(reply: Reply) -> _Answer:
    try:
        return msgspec.json.decode(reply.body, type=_Answer)
    except msgspec.DecodeError:
        return _Answer()
