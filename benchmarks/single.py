"""One event a request, over HTTP, against the usual Django way on the same server."""

import http.client
import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from statistics import quantiles
from uuid import uuid4

from benchmarks.stage import Figure
from engagement.local.state import PROJECT
from engagement.local.supervisor import find_free_port
from tracking.sources import create_source

SECONDS = 6.0
PROCESSES, THREADS = 2, 32


def measure() -> list[Figure]:
    """Measure 64 connections against `/track-event` and against the baseline's view."""
    _, keys = create_source("Single bench")
    port = find_free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "2", "--blocking-threads", "16", "--no-ws", "--log-level", "error"]
    environment = os.environ | {"DATABASE_POOL": "1", "PYTHONPATH": str(PROJECT)}
    server = subprocess.Popen([*command, "benchmarks.baseline:application"], env=environment, cwd=PROJECT)
    try:
        _wait(port)
        ours = _load(port, "/track-event", keys.write_key)
        usual = _load(port, "/baseline", keys.write_key)
    finally:
        server.terminate()
        server.wait(20)
    rate, p50, p99 = ours
    base_rate, base_p50, base_p99 = usual
    return [
        Figure(
            work="one event a request through DRF, durable, 64 connections",
            measured=f"{rate:,.0f}/s",
            bare=f"{base_rate:,.0f}/s (DRF serializer, ORM create, `.delay`)",
            ratio=f"{rate / base_rate:.1f} ×",
            target="≥ 5 ×",
        ),
        Figure(
            work="its p50 / p99",
            measured=f"{p50:.0f} / {p99:.0f} ms",
            bare=f"{base_p50:.0f} / {base_p99:.0f} ms",
            ratio=f"{p99 / base_p99:.0%} of the baseline's p99",
            target="< 50 %",
        ),
    ]


def _wait(port: int) -> None:
    for _ in range(200):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the server did not start")


def _load(port: int, path: str, key: str) -> tuple[float, float, float]:
    with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
        parts = pool.starmap(_run_process, [(port, path, key)] * PROCESSES)
    times = sorted(duration for part in parts for duration in part)
    cuts = quantiles(times, n=100)
    return len(times) / SECONDS, cuts[49] * 1000, cuts[98] * 1000


def _run_process(port: int, path: str, key: str) -> list[float]:
    times: list[float] = []
    deadline = time.monotonic() + SECONDS
    threads = [threading.Thread(target=_run_client, args=(port, path, key, deadline, times)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def _run_client(port: int, path: str, key: str, deadline: float, times: list[float]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    event = {"event": "add_to_cart", "product_id": "12345", "price": 19.9, "category": "lamps", "path": "/shop/lamps"}
    while time.monotonic() < deadline:
        body = json.dumps(event | {"user_id": f"u{uuid4().int % 10000}", "message_id": uuid4().hex})
        start = time.perf_counter()
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status in (201, 202), answer.status
        times.append(time.perf_counter() - start)
