"""What an event is between the door and the log: pure values and the functions that compute ids.

The way of an item: a dialect parses it into an `Item`, `stamp_item` makes a `NewEvent` of it or a `Rejection`, the
appender writes it, the client reads a `Receipt`.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec

from engagement.lib.ids import compute_id, compute_lane, compute_timed_id, write_moment

IDENTIFY = "$identify"
ALIAS = "$alias"
GROUP = "$group"
LINKED = "$linked"
ADOPTED = "$adopted"
FOLLOW = "$follow"
UNLINKED = "$unlinked"
NOT_SENT = "$not_sent"
"""A message was dropped or refused for good; `properties.activation` says what it was about."""

BOT = "$bot"
ERASE = "$erase"
PAGE_VIEWED, SCREEN_VIEWED = "page_viewed", "screen_viewed"
"""What page and screen calls of every dialect are called in the log."""

LIVE, IMPORT, DERIVED, RESPONSE, SYSTEM = range(5)

MAX_DEPTH = 5
"""A derived event that was derived this many times over derives nothing more."""

DAY = timedelta(days=1)
_PUBLIC = {"$public": True}
_OF_BOTS = {"$public": True, BOT: True}
_HALF_A_DAY = DAY / 2
_SKEW_NOISE = timedelta(seconds=5)


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that a client reported, as its dialect understood it.

    `timestamp` and `sent_at` are the client's clock (aware). With `is_import` it came by a call that brings history:
    what is more than a day old then starts nothing and shows nobody to be active. `user_hash`, where there is one,
    shows that the client may speak for the user; it is not kept.
    """

    index: int
    name: str
    user_id: str | None = None
    anonymous_id: str | None = None
    message_id: str | None = None
    timestamp: datetime | None = None
    sent_at: datetime | None = None
    properties: dict[str, Any] = {}
    context: dict[str, Any] = {}
    is_import: bool = False
    user_hash: str | None = None


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """Why an item is not in the log: a stable code, the path of the field and a plain sentence.

    `held_as` is set where it is not refused but held in quarantine: the id that it gets when it is sent on.
    """

    index: int
    code: str
    field: str | None = None
    message: str
    held_as: UUID | None = None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one item, in the order of the request.

    `outcome` is "accepted", "rejected", or "quarantined": we have it, and a person decides; it need not be sent again.
    """

    index: int
    id: UUID | None = None
    outcome: str
    code: str | None = None
    field: str | None = None
    message: str | None = None


class NewEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row on its way to the log. Without `occurred_at` the moment of receipt (the database's clock) is meant.

    `dedup_key` is set where the id cannot tell a retry by itself; see `stamp_item`.
    """

    id: UUID
    lane: int
    profile_id: UUID
    name: str
    properties: dict[str, Any]
    context: dict[str, Any]
    source_id: int | None = None
    origin: int = LIVE
    depth: int = 0
    message_id: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    occurred_at: datetime | None = None
    dedup_key: UUID | None = None


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """What the door knows about a request: its source, its moment and how far back the log reaches.

    `happened_at` is the moment of an item without a time of its own; None: the database's clock at the append.
    """

    source_id: int
    now: datetime
    retention: timedelta
    is_public: bool
    is_bot: bool = False
    origin: int = LIVE
    happened_at: datetime | None = None


def compute_user_profile_id(user_id: str) -> UUID:
    """Return the profile of a known user: one namespace for the whole installation."""
    return compute_id("profile", "user", user_id)


def compute_anonymous_profile_id(source_id: int, anonymous_id: str) -> UUID:
    """Return the profile of somebody who has not signed in: an anonymous id belongs to its source."""
    return compute_id("profile", "anonymous", str(source_id), anonymous_id)


def compute_profile_id(source_id: int, user_id: str | None, anonymous_id: str | None) -> UUID:
    """Return the profile that an event with these ids belongs to; one of them must be given."""
    if user_id is not None:
        return compute_user_profile_id(user_id)
    if anonymous_id is None:
        raise ValueError("an event needs a user id or an anonymous id")
    return compute_anonymous_profile_id(source_id, anonymous_id)


def compute_event_id(
    moment: datetime,
    source_id: int,
    profile_id: UUID,
    message_id: str,
    name: str,
    timestamp: datetime | None,
    *,
    is_public: bool = False,
) -> UUID:
    """Return f(source, profile, message id, name, client timestamp), at `moment`.

    What a public key sent has ids of its own: a page that guesses a server's message id takes nothing from it.
    """
    kind = "public event" if is_public else "event"
    return compute_timed_id(moment, kind, str(source_id), profile_id.hex, message_id, name, write_moment(timestamp))


def compute_derived_id(detector: str, profile_id: UUID, key: str, last_event_id: UUID, moment: datetime) -> UUID:
    """Return the id of the event that a silence becomes: `moment` is that of the last event before it."""
    return compute_timed_id(moment, "derived", detector, profile_id.hex, key, last_event_id.hex)


def correct_skew(timestamp: datetime, sent_at: datetime | None, received_at: datetime) -> datetime:
    """Return when it happened by our clock.

    The client's clock is off by received_at - sent_at. Less than five seconds is the network; a `sent_at` of more than
    a day ago is not fresh (some clients repeat the first one on every retry): both leave the time as it is. One that
    is ahead cannot be old, however far: the clock is wrong.
    """
    if sent_at is None:
        return timestamp
    skew = received_at - sent_at
    if -_SKEW_NOISE <= skew <= _SKEW_NOISE or skew > DAY:
        return timestamp
    try:
        return timestamp + skew
    except OverflowError:
        # The first or the last moment that there is: a client's "no time". As the event's own it is out of range.
        return timestamp


def stamp_item(item: Item, stamp: Stamp) -> NewEvent | Rejection:
    """Give an item its profile, lane, time and id.

    The id carries the client's own timestamp where that lies within a day of the corrected time and not more than a
    day ahead, so that a retry computes the same id and lands in the same partition. Elsewhere it carries the moment
    of receipt and a `dedup_key` tells a retry; from half that bound on both are used, because a retry may fall on
    the other side of it. An item without a message id is a new event each time.
    """
    occurred_at = correct_skew(item.timestamp, item.sent_at, stamp.now) if item.timestamp else stamp.happened_at
    if occurred_at and not stamp.now - stamp.retention <= occurred_at <= stamp.now + DAY:
        return Rejection(
            index=item.index,
            code="timestamp_out_of_range",
            field="timestamp",
            message="The time lies more than a day ahead or further back than events are kept.",
        )
    profile_id = compute_profile_id(stamp.source_id, item.user_id, item.anonymous_id)
    moment, needs_dedup = _choose_moment(item, occurred_at, stamp.now)
    message_id = item.message_id or uuid4().hex
    return NewEvent(
        id=compute_event_id(
            moment, stamp.source_id, profile_id, message_id, item.name, item.timestamp, is_public=stamp.is_public
        ),
        lane=compute_lane(profile_id),
        profile_id=profile_id,
        name=item.name,
        properties=item.properties,
        context=item.context | (_OF_BOTS if stamp.is_bot else _PUBLIC) if stamp.is_public else item.context,
        source_id=stamp.source_id,
        origin=IMPORT if item.is_import and _is_history(occurred_at, stamp.now) else stamp.origin,
        message_id=item.message_id,
        user_id=item.user_id,
        anonymous_id=item.anonymous_id,
        occurred_at=occurred_at,
        dedup_key=_compute_dedup_key(item, stamp, profile_id) if needs_dedup else None,
    )


def _choose_moment(item: Item, occurred_at: datetime | None, now: datetime) -> tuple[datetime, bool]:
    if item.timestamp is None or occurred_at is None:
        return now, item.message_id is not None
    distance = max(abs(item.timestamp - occurred_at), item.timestamp - now)
    needs_dedup = item.message_id is not None and distance > _HALF_A_DAY
    return (item.timestamp if distance <= DAY else now), needs_dedup


def _is_history(occurred_at: datetime | None, now: datetime) -> bool:
    return occurred_at is not None and now - occurred_at > DAY


def _compute_dedup_key(item: Item, stamp: Stamp, profile_id: UUID) -> UUID:
    kind = "public dedup" if stamp.is_public else "dedup"
    client_time = write_moment(item.timestamp)
    return compute_id(kind, str(stamp.source_id), profile_id.hex, item.message_id or "", item.name, client_time)
