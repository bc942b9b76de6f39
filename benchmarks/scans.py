"""Looking for silence: what changed, among few and among many."""

import time
from statistics import median

from benchmarks.stage import Figure
from engagement.lib.postgres import open_connection
from tracking.log.write import Connection
from triggers.detect.scan_silence import find_quiet
from triggers.detect.scan_timers import find_due

SIZES = (1_000_000, 5_000_000)
TIMERS = (100_000, 5_000_000)
NEWLY = 1_000

_PEOPLE = """
insert into profile (id, lane, user_id, traits, seen_at, created_at)
select gen_random_uuid(), n %% 64, 'p' || n, '{}', timestamptz '2026-01-01' + n * interval '1 s', now()
  from generate_series(%(first)s::bigint, %(last)s::bigint) n
"""
_WAITS = """
insert into timer (lane, profile_id, rule_id, key, event_id, seq, occurred_at, due_at)
select n %% 64, gen_random_uuid(), 1, '', gen_random_uuid(), n, now(), timestamptz '2026-01-01' + n * interval '1 s'
  from generate_series(%(first)s::bigint, %(last)s::bigint) n
"""


def measure() -> list[Figure]:
    """Measure finding a thousand newly quiet people, and a thousand due timers, among two sizes of table."""
    with open_connection("bench-scan", timeout_ms=600_000) as connection:
        quiet = [_measure_quiet(connection, *bounds) for bounds in zip((0, *SIZES), SIZES, strict=False)]
        due = [_measure_due(connection, *bounds) for bounds in zip((0, *TIMERS), TIMERS, strict=False)]
    return [
        _describe("finding 1,000 newly quiet people", SIZES, quiet),
        _describe("finding 1,000 due timers", TIMERS, due),
    ]


def _describe(work: str, sizes: tuple[int, int], seconds: list[float]) -> Figure:
    return Figure(
        work=f"{work} among {sizes[0]:,} and among {sizes[1]:,}",
        measured=" and ".join(f"{value * 1000:.1f} ms" for value in seconds),
        ratio=f"{seconds[1] / seconds[0]:.2f} ×",
        target="< 5 ms each, within 1.5 ×",
    )


def _measure_quiet(connection: Connection, first: int, last: int) -> float:
    connection.execute(_PEOPLE, {"first": first + 1, "last": last})
    connection.execute("vacuum analyze profile")
    bounds = connection.execute(
        "select timestamptz '2026-01-01' + %s * interval '1 s', timestamptz '2026-01-01' + %s * interval '1 s'",
        (last // 2, last // 2 + NEWLY),
    ).fetchone()
    assert bounds is not None

    def find() -> int:
        return len(find_quiet(connection, bounds[0], bounds[1], NEWLY + 1))

    return _time(find)


def _measure_due(connection: Connection, first: int, last: int) -> float:
    connection.execute(_WAITS, {"first": first + 1, "last": last})
    connection.execute("vacuum analyze timer")
    row = connection.execute("select timestamptz '2026-01-01' + %s * interval '1 s'", (NEWLY,)).fetchone()
    assert row is not None

    def find() -> int:
        with connection.transaction():
            return len(find_due(connection, row[0], NEWLY + 1))

    return _time(find)


def _time(find: object) -> float:
    times = []
    for _ in range(7):
        start = time.perf_counter()
        found = find()  # type: ignore[operator]
        times.append(time.perf_counter() - start)
        assert found == NEWLY, found
    return median(times)
