"""One event a request, over HTTP, against the usual Django way on the same server."""

import http.client
import multiprocessing
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from uuid import uuid4

import msgspec

from benchmarks.stage import Figure
from engagement.local.state import PROJECT
from engagement.local.supervisor import find_free_port
from tests.live import list_family
from tracking.sources import create_source

SECONDS = 4.0
ROUNDS = 5
CONNECTIONS = 64
MOST_REQUESTS = 60_000


def measure() -> list[Figure]:
    """Measure 64 connections against `/track-event`, through either shell, and against the baseline's view.

    Each round runs all three; the figures are those of the round with the median ratio.
    """
    _, keys = create_source("Single bench")
    granian = ["granian", "--interface", "wsgi", "--blocking-threads", "16", "--no-ws"]
    rounds = []
    for _ in range(ROUNDS):
        with _serve(*granian, "benchmarks.baseline:application") as server:
            usual = _load(server, "/baseline", keys.write_key)
            drf = _load(server, "/track-event", keys.write_key)
        with _serve("engagement.web") as server:
            rounds.append((usual, drf, _load(server, "/track-event", keys.write_key)))
    usual, drf, ours = sorted(rounds, key=lambda loads: loads[2][0] / loads[1][0])[ROUNDS // 2]
    return [
        *_compare("one event a request, durable, 64 connections", ours, drf, "through DRF", "≥ 2 ×"),
        *_compare("the same through DRF", drf, usual, "DRF serializer, ORM create, `.delay`", "≥ 5 ×"),
    ]


Load = tuple[float, float, float, float]
"""Requests a second, p50 and p99 in milliseconds, and the server's own CPU in microseconds a request."""


def _compare(work: str, ours: Load, bare: Load, name: str, target: str) -> list[Figure]:
    (rate, p50, p99, cpu), (base_rate, base_p50, base_p99, base_cpu) = ours, bare
    return [
        Figure(
            work=work,
            measured=f"{rate:,.0f}/s",
            bare=f"{base_rate:,.0f}/s ({name})",
            ratio=f"{rate / base_rate:.1f} ×",
            target=target,
        ),
        Figure(
            work="its p50 / p99",
            measured=f"{p50:.0f} / {p99:.0f} ms",
            bare=f"{base_p50:.0f} / {base_p99:.0f} ms",
            ratio=f"{p99 / base_p99:.0%} of that p99",
        ),
        Figure(
            work="its CPU in the web processes",
            measured=f"{cpu:.0f} µs a request",
            bare=f"{base_cpu:.0f} µs a request",
            ratio=f"{base_cpu / cpu:.1f} × less",
        ),
    ]


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A server under load: its port, and the process that started its workers."""

    port: int
    pid: int

    def count_cpu(self) -> float:
        """Return the seconds of CPU that its workers have used."""
        used = 0
        for pid, _ in list_family(self.pid):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            used += int(fields[11]) + int(fields[12])
        return used / os.sysconf("SC_CLK_TCK")


@contextmanager
def _serve(module: str, *options: str) -> Iterator[Server]:
    port = find_free_port()
    command = [sys.executable, "-m", module, "--port", str(port), "--workers", "2", "--log-level", "error", *options]
    environment = os.environ | {"DATABASE_POOL": "1", "ENGAGEMENT_LOCAL": "1", "PYTHONPATH": str(PROJECT)}
    server = subprocess.Popen(command, env=environment, cwd=PROJECT)
    try:
        _wait(port)
        yield Server(port=port, pid=server.pid)
    finally:
        # What it has to say is measured: nothing is waited for. Its workers die with it.
        server.kill()
        server.wait()


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


def _load(server: Server, path: str, key: str) -> Load:
    """Keep as many connections busy, in a process of its own that does as little as it can: it shares the cores."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        before = server.count_cpu()
        times = sorted(pool.apply(_run_clients, (server.port, path, key)))
        cpu = server.count_cpu() - before
    cuts = quantiles(times, n=100)
    return len(times) / SECONDS, cuts[49] * 1000, cuts[98] * 1000, cpu / len(times) * 1_000_000


def _run_clients(port: int, path: str, key: str) -> list[float]:
    times: list[float] = []
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
    )
    begun: dict[socket.socket, float] = {}
    answers: dict[socket.socket, bytes] = {}
    selector = selectors.DefaultSelector()

    # Made before the clock starts: the clients share the cores with the server.
    requests = [_make_request(head) for _ in range(MOST_REQUESTS)]

    def ask(client: socket.socket) -> None:
        request = requests.pop()
        begun[client] = time.perf_counter()
        client.sendall(request)

    for _ in range(CONNECTIONS):
        client = socket.create_connection(("127.0.0.1", port), timeout=30)
        selector.register(client, selectors.EVENT_READ)
        ask(client)
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        for ready, _ in selector.select(1.0):
            client = ready.fileobj  # type: ignore[assignment]
            answers[client] = answers.get(client, b"") + client.recv(65_536)
            if not _is_whole(answers[client]):
                continue
            answer = answers.pop(client)
            assert answer.startswith((b"HTTP/1.1 201", b"HTTP/1.1 202")), answer[:200]
            times.append(time.perf_counter() - begun[client])
            ask(client)
    return times


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    head = head.lower()
    if b"transfer-encoding: chunked" in head:
        return body.endswith(b"0\r\n\r\n")
    return bool(end) and len(body) == int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])


def _make_request(head: str) -> bytes:
    drawn = uuid4()
    body = (
        '{"event":"add_to_cart","product_id":"12345","price":19.9,"category":"lamps","path":"/shop/lamps",'
        f'"user_id":"u{drawn.int % 10_000}","message_id":"{drawn.hex}"}}'
    )
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
