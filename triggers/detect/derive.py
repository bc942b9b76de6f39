"""A silence becomes an event: the same one, with the same id, whether a scan or the evaluator finds it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from engagement.lib.ids import compute_lane, read_moment
from tracking.event import DERIVED, MAX_DEPTH, NewEvent, compute_derived_id
from tracking.log.read import LoggedEvent
from triggers.rulebook import ActiveRule

MAX_PAGES = 50


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """A wait that ended without what it waited for.

    `profile_id` is the person's own; `last` is the last event before the silence, `key` what the wait was for (''
    without one), `at` when the silence was complete, `came_back` whether they returned before anybody noticed.
    """

    rule: ActiveRule
    profile_id: UUID
    last: LoggedEvent
    user_id: str | None
    key: str = ""
    at: datetime
    came_back: bool = False
    properties: dict[str, Any]


def derive_event(silence: Silence) -> NewEvent | None:
    """Return the event that a silence becomes; None when it was derived too many times over."""
    last, rule = silence.last, silence.rule
    if last.depth >= MAX_DEPTH:
        return None
    detector = {
        "rule": rule.rule_id,
        "key": silence.key,
        "armed_event": str(last.id),
        "armed_seq": last.seq,
        "armed_at": last.occurred_at.isoformat(),
    }
    return NewEvent(
        id=compute_derived_id(str(rule.rule_id), silence.profile_id, silence.key, last.id, read_moment(last.id)),
        lane=compute_lane(silence.profile_id),
        profile_id=silence.profile_id,
        name=rule.definition.start_event,
        properties=silence.properties,
        context={"detector": detector, "came_back": silence.came_back},
        source_id=last.source_id,
        origin=DERIVED,
        depth=last.depth + 1,
        user_id=silence.user_id,
        anonymous_id=last.anonymous_id,
        occurred_at=silence.at,
    )


def describe_session(activities: Sequence[LoggedEvent], gap: timedelta) -> dict[str, Any]:
    """Return what a template may want to know of a session: `activities` are a person's latest, newest first.

    The session reaches back to the first pause of `gap`. Durations are in seconds; `pages` are the distinct paths or
    addresses, in the order of the first visit, at most 50.
    """
    session = [activities[0]]
    for event in activities[1:]:
        if session[-1].active_at - event.active_at >= gap:
            break
        session.append(event)
    session.reverse()
    pages = dict.fromkeys(page for event in session if (page := _read_page(event)))
    return {
        "started_at": session[0].occurred_at.isoformat(),
        "ended_at": session[-1].occurred_at.isoformat(),
        "duration_seconds": round((session[-1].active_at - session[0].active_at).total_seconds()),
        "events": len(session),
        "pages": list(pages)[:MAX_PAGES],
        "last_event": session[-1].name,
    }


def describe_inactivity(last: LoggedEvent, after: timedelta) -> dict[str, Any]:
    """Return what a template may want to know of somebody who went quiet."""
    return {
        "last_event": last.name,
        "last_seen_at": last.occurred_at.isoformat(),
        "after_seconds": int(after.total_seconds()),
    }


def describe_abandonment(started: Sequence[LoggedEvent], key_path: str | None, key: str) -> dict[str, Any]:
    """Return the properties of the last event that moved the wait, with `items`: those of all of them, in order."""
    properties = dict(started[-1].properties)
    properties["items"] = [event.properties for event in started]
    if key_path is not None and key:
        properties.setdefault(key_path, key)
    return properties


def _read_page(event: LoggedEvent) -> str | None:
    page = event.properties.get("path") or event.properties.get("url")
    if page is None and isinstance(event.context.get("page"), dict):
        page = event.context["page"].get("path") or event.context["page"].get("url")
    return page if isinstance(page, str) else None
