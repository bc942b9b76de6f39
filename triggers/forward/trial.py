"""A test event: sent at once, to show what the other side makes of it. It is nowhere in the log."""

from datetime import datetime
from uuid import uuid4

import msgspec

from triggers.forward.copies import Copy, What
from triggers.forward.kinds.base import Result, say_reply
from triggers.forward.secrets import SettingsBroken, open_kind
from triggers.forward.send import attempt
from triggers.models import Destination

TEST_EVENT = "test_event"


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a test: whether it was taken, and the answer in words."""

    is_taken: bool
    says: str


def try_destination(destination: Destination, now: datetime) -> Trial:
    """Send a test event and return the answer. Takes up to some fifteen seconds; not within a transaction."""
    try:
        kind = open_kind(destination)
    except SettingsBroken as error:
        return Trial(is_taken=False, says=str(error))
    verdict, reply = attempt(kind, kind.pack_trial(make_test_copy(now)), is_trial=True)
    if verdict.result is Result.SENT and not verdict.refused:
        return Trial(is_taken=True, says=say_reply(reply) if reply is not None else "")
    return Trial(is_taken=False, says="; ".join(verdict.refused.values()) or verdict.reason)


def make_test_copy(now: datetime) -> Copy:
    """Return an event of nobody."""
    return Copy(
        id=uuid4(),
        what=What.EVENT,
        lane=0,
        seq=0,
        name=TEST_EVENT,
        profile=uuid4().hex,
        user_id="test-user",
        device=None,
        properties={"test": True, "sent_by": "engagement"},
        source="test",
        occurred_at=now,
        received_at=now,
    )
