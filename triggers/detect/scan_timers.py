"""The scan for waits that are over: a range read on `timer.due_at` up to the horizon."""

from datetime import datetime

from tracking.log.horizon import load_horizon
from tracking.log.write import Connection, encode_row, write_within
from tracking.profiles import load_people
from triggers.detect.derive import derive_event
from triggers.detect.describe import describe_wait
from triggers.detect.timer_book import TIMER_COLUMNS, TimerBook, TimerRow
from triggers.rulebook import RuleBook

PAGE = 500
EVALUATOR = "evaluator"

_DUE = f"""
select {TIMER_COLUMNS} from timer where due_at <= %s order by due_at limit %s for update skip locked
"""


def find_due(connection: Connection, until: datetime, limit: int) -> list[TimerRow]:
    """Return and lock the waits that are over, the oldest first."""
    return [TimerRow(*row) for row in connection.execute(_DUE, (until, limit)).fetchall()]


def scan_timers(connection: Connection, book: RuleBook) -> int:
    """Append the waits that ended up to the horizon without what they waited for; return how many were written."""
    book.refresh(connection)
    horizon = load_horizon(connection, EVALUATOR)
    written = 0
    while horizon is not None:
        with connection.transaction():
            rows = find_due(connection, horizon, PAGE)
            written += _end_waits(connection, book, rows)
        if len(rows) < PAGE:
            break
    return written


def _end_waits(connection: Connection, book: RuleBook, timers: list[TimerRow]) -> int:
    people = load_people(connection, [timer.profile_id for timer in timers])
    events = []
    ended = TimerBook(timers)
    for timer in timers:
        ended.clear(timer)
        rule, state = book.current.rules.get(timer.rule_id), people.get(timer.profile_id)
        if rule is None or state is None:
            continue
        silence = describe_wait(connection, rule, timer, state.spans, state.user_id, came_back=False)
        event = derive_event(silence) if silence is not None else None
        if event is not None:
            events.append(encode_row(event))
    ended.save(connection)
    write_within(connection, events)
    return len(events)
