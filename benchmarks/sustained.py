"""Ingest and evaluation together, for millions of events: does the evaluator keep up, and does memory stay flat?"""

import multiprocessing
import os
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from benchmarks.stage import Figure

EVENTS = int(os.environ.get("BENCH_SUSTAINED_EVENTS", "3000000"))
RATE = int(os.environ.get("BENCH_SUSTAINED_RATE", "10500"))
SIZE = 1_000
USERS = 200_000
_WARM_UP = 10.0


def measure() -> list[Figure]:
    """Send events at a steady rate from one process while another decides them; sample lag and memory each second."""
    from benchmarks.evaluation import make_rules
    from engagement.lib.postgres import open_connection
    from tracking.log.read import load_sequence
    from tracking.sources import create_source
    from triggers.models import Rule

    _, keys = create_source("Sustained bench")
    if not Rule.objects.filter(name="Bench 0").exists():
        make_rules()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    decider = context.Process(target=_run, args=(_decide, theirs), daemon=True)
    decider.start()
    ours.recv()
    client = context.Process(target=_run, args=(_send, theirs, keys.secret_key), daemon=True)
    with open_connection("bench-watch", timeout_ms=60_000) as connection:
        first = load_sequence(connection)
        client.start()
        start = time.monotonic()
        samples = []
        warm: tuple[int, dict[str, float]] | None = None
        while (sent := load_sequence(connection) - first) < EVENTS:
            row = connection.execute("select min(position) from lane_cursor where consumer = 'evaluator'").fetchone()
            behind = sent + first - (row[0] if row else 0)
            if warm is None and time.monotonic() - start > _WARM_UP:
                warm = sent, _read_costs(connection, client.pid, decider.pid)
            samples.append((time.monotonic() - start, behind, _read_memory(decider.pid), _read_memory(client.pid)))
            time.sleep(1)
        held = EVENTS / (time.monotonic() - start)
        caught_up = _wait_until_decided(connection, load_sequence)
        used = _read_costs(connection, client.pid, decider.pid)
        before, first_used = warm or (0, {})
        costs = {name: (used[name] - first_used.get(name, 0)) / (EVENTS - before) * 1e6 for name in used}
    for process in (client, decider):
        process.terminate()
        process.join()
    return [_describe(held, caught_up, [sample for sample in samples if sample[0] > _WARM_UP], costs)]


def _wait_until_decided(connection: object, load_sequence: Callable[..., int]) -> float:
    start = time.monotonic()
    query = "select min(position) from lane_cursor where consumer = 'evaluator'"
    while connection.execute(query).fetchone()[0] < load_sequence(connection):  # type: ignore[attr-defined]
        time.sleep(0.02)
    return time.monotonic() - start


def _read_costs(connection: Any, client: int | None, decider: int | None) -> dict[str, float]:
    """Return how many seconds each part has computed; the client makes the events as well as it takes them in."""
    query = "select pid from pg_stat_activity where application_name in ('engagement-appender', 'bench-evaluator')"
    backends = [row[0] for row in connection.execute(query).fetchall()]
    pids = {"client and web": [client], "evaluator": [decider], "PostgreSQL": backends}
    return {name: sum(_read_cpu(pid) for pid in found) for name, found in pids.items()}


def _describe(
    held: float, caught_up: float, samples: list[tuple[float, int, float, float]], costs: dict[str, float]
) -> Figure:
    tenth = max(len(samples) // 10, 1)
    early, late = samples[:tenth], samples[-tenth:]

    def compare(column: int, scale: float) -> str:
        means = [sum(sample[column] for sample in part) / len(part) / scale for part in (early, late)]
        return f"{means[0]:,.1f} → {means[1]:,.1f}"

    lags = sorted(sample[1] / RATE for sample in samples)
    return Figure(
        work=f"ingest ({SIZE:,} a request) and evaluation together, {EVENTS:,} events sent at {RATE:,}/s: what was "
        "held; lag and memory in the first and the last tenth",
        measured=f"{held:,.0f} events/s; lag {compare(1, RATE)} s (median {lags[len(lags) // 2]:.1f}, "
        f"most {lags[-1]:.1f}); evaluator {compare(2, 1)} MB, web {compare(3, 1)} MB; "
        f"all decided {caught_up:.1f} s after the last; CPU "
        + ", ".join(f"{name} {cost:.0f} µs" for name, cost in costs.items())
        + " an event",
        target="≥ 10,000 events/s, lag and memory flat",
    )


def _run(work: Callable[..., None], *arguments: object) -> None:
    """The start of a process of its own."""
    import django

    from engagement.lib.interpreter import tune_interpreter

    django.setup()
    tune_interpreter()
    work(*arguments)


def _decide(ready: Pipe) -> None:
    """What a worker does, without Celery between the passes: a busy lane gathers for 150 ms."""
    from engagement.lib.postgres import open_connection
    from triggers.evaluate.run import Evaluator

    with open_connection("bench-evaluator", timeout_ms=60_000) as connection:
        evaluator = Evaluator(connection)
        while evaluator.run_pass(600).is_behind:
            pass
        ready.send("ready")
        while True:
            start = time.monotonic()
            evaluator.run_pass(20)
            time.sleep(max(0.0, 0.15 - (time.monotonic() - start)))


def _send(_: Pipe, key: str) -> None:
    """A web process with two threads, each taking the next request when it is due."""
    from django.test import RequestFactory

    from tracking.api.ingest import EventsView

    view, factory = EventsView.as_view(), RequestFactory()
    due = iter(range(EVENTS // SIZE))
    lock = threading.Lock()
    start = time.monotonic()

    def work() -> None:
        draw = random.Random(uuid4().int)
        while True:
            body = _make_body(draw)
            with lock:
                turn = next(due, None)
            if turn is None:
                return
            time.sleep(max(0.0, start + turn * SIZE / RATE - time.monotonic()))
            headers = {"authorization": f"Bearer {key}"}
            answer = view(factory.post("/v1/events", body, content_type="application/json", headers=headers))
            assert answer.status_code == 202, answer.content[:200]

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _make_body(draw: random.Random) -> bytes:
    from benchmarks.evaluation import NAMES, draw_properties

    now = datetime.now(UTC).isoformat()
    events = [
        {
            "event": "left" if draw.random() < 0.05 else f"event_{draw.randrange(NAMES)}",
            "user_id": f"u{draw.randrange(USERS)}",
            "message_id": f"{draw.getrandbits(96):x}",
            "timestamp": now,
            "properties": draw_properties(draw),
        }
        for _ in range(SIZE)
    ]
    return msgspec.json.encode({"events": events})


def _read_cpu(pid: int | None) -> float:
    """Return the seconds that a process has computed."""
    fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _read_memory(pid: int | None) -> float:
    """Return the resident memory of a process, MB."""
    for line in (Path("/proc") / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
