"""The scan for waits that are over: a range read on `timer.due_at` up to the horizon."""

from datetime import datetime

from tracking.event import LIVE
from tracking.log.horizon import load_horizon
from tracking.log.write import Connection, encode_row, write_within
from tracking.profiles import ProfileState, load_people
from tracking.queries import find_last_activity
from tracking.registry import Registry, get_registry
from triggers.detect.arm_from_log import arm_pending
from triggers.detect.derive import Silence, derive_event
from triggers.detect.describe import describe_silence, describe_wait, find_endings
from triggers.detect.timer_book import TIMER_COLUMNS, TimerBook, TimerRow
from triggers.rulebook import ActiveRule, RuleBook

PAGE = 500
EVALUATOR = "evaluator"
_ALL = 1 << 62

_DUE = f"""
select {TIMER_COLUMNS} from timer where due_at <= %s order by due_at limit %s for update skip locked
"""


def find_due(connection: Connection, until: datetime, limit: int) -> list[TimerRow]:
    """Return and lock the waits that are over, the oldest first."""
    return [TimerRow(*row) for row in connection.execute(_DUE, (until, limit)).fetchall()]


def scan_timers(connection: Connection, book: RuleBook) -> int:
    """Append the waits that ended up to the horizon without what they waited for; return how many were written."""
    book.refresh(connection)
    registry = get_registry()
    arm_pending(connection, book, registry)
    horizon = load_horizon(connection, EVALUATOR)
    written = 0
    while horizon is not None:
        with connection.transaction():
            rows = find_due(connection, horizon, PAGE)
            ended = TimerBook(rows)
            written += _end_waits(connection, book, rows, ended, horizon, registry)
        if len(rows) < PAGE or not ended.is_changed:
            break
    return written


def _end_waits(
    connection: Connection,
    book: RuleBook,
    timers: list[TimerRow],
    ended: TimerBook,
    horizon: datetime,
    registry: Registry,
) -> int:
    people = load_people(connection, [timer.profile_id for timer in timers])
    events = []
    for timer in timers:
        rule, state = book.current.rules.get(timer.rule_id), people.get(timer.profile_id)
        if rule is None or state is None:
            ended.clear(timer)
            continue
        endings = find_endings(connection, rule, timer, state.spans)
        if endings and all(event.origin == LIVE and event.received_at > horizon for event in endings):
            # What ended it came after the horizon: the evaluator closes the silence before it decides on that.
            continue
        ended.clear(timer)
        silence = None if endings else _describe(connection, rule, timer, state, registry)
        event = derive_event(silence) if silence is not None and silence.at <= horizon else None
        if event is not None:
            events.append(encode_row(event))
    ended.save(connection)
    write_within(connection, events)
    return len(events)


def _describe(
    connection: Connection, rule: ActiveRule, timer: TimerRow, state: ProfileState, registry: Registry
) -> Silence | None:
    """Return the silence in which a wait ended: for its event or, of history that came in late, of all activity."""
    if rule.silence is None:
        return describe_wait(connection, rule, timer, state.spans, state.user_id, came_back=False)
    last = find_last_activity(
        connection,
        state.spans,
        before_seq=_ALL,
        since=timer.occurred_at,
        passive_names=sorted(registry.passive_names),
        passive_sources=registry.passive_source_ids,
    )
    if last is None or last.id != timer.event_id:
        return None
    return describe_silence(connection, rule, state, last, registry, came_back=False)
