"""Silences that end because the person returns before a scan has found them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from tracking.event import NewEvent
from tracking.log.read import LoggedEvent
from tracking.log.write import Connection
from tracking.profiles import ProfileState
from tracking.queries import find_last_activity
from tracking.registry import Registry
from triggers.detect.coverage import is_covered
from triggers.detect.derive import Silence, derive_event
from triggers.detect.describe import describe_silence, describe_wait
from triggers.detect.timer_book import TimerRow
from triggers.rulebook import ActiveRule, RuleIndex


def close_silences(
    connection: Connection,
    event: LoggedEvent,
    state: ProfileState,
    index: RuleIndex,
    registry: Registry,
    starts: Mapping[int, datetime],
) -> list[NewEvent]:
    """Return the events of the silences of all activity that this activity ends, each marked *came back*."""
    if state.seen_at is None:
        return []
    shortest = min(rule.silence or timedelta.max for rule in index.silences)
    if event.received_at - state.seen_at < shortest:
        return []
    last = state.last_activity or find_last_activity(
        connection,
        state.spans,
        before_seq=event.seq,
        since=state.seen_at,
        passive_names=sorted(registry.passive_names),
        passive_sources=registry.passive_source_ids,
    )
    if last is None:
        return []
    silences = [
        describe_silence(connection, rule, state, last, registry, came_back=True)
        for rule in index.silences
        if rule.silence is not None
        and event.received_at - last.active_at >= rule.silence
        and is_covered(rule, last.active_at + rule.silence, starts)
    ]
    return _derive_all(silences)


def close_timer(
    connection: Connection, event: LoggedEvent, state: ProfileState, rule: ActiveRule, timer: TimerRow
) -> list[NewEvent]:
    """Return the event of a wait that was over when `event` arrived, marked *came back*."""
    silence = describe_wait(connection, rule, timer, state.spans, state.user_id, before_seq=event.seq, came_back=True)
    return _derive_all([silence] if silence is not None else [])


def _derive_all(silences: list[Silence]) -> list[NewEvent]:
    return [event for silence in silences if (event := derive_event(silence)) is not None]
