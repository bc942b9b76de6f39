"""Clients that send or read slowly, or hang up: everybody else is answered, through the real web server."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.db import connection

from engagement.lib.postgres import open_connection
from tests.cast import make_source
from tests.live import wait_for
from tests.serving import WebServer, send, serve_web
from tracking.models import Event

pytestmark = [pytest.mark.usefixtures("log"), pytest.mark.xdist_group("web")]

SCRIPT = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
"""A file of more than a megabyte that anybody may read."""


@pytest.fixture(scope="module")
def web(django_db_setup: None) -> Iterator[WebServer]:
    with serve_web(GRANIAN_HTTP1_HEADER_READ_TIMEOUT="2000", BODY_SECONDS="3", ENGAGEMENT_LOCAL="1") as server:
        yield server


@pytest.fixture
def key(web: WebServer) -> str:
    """A key that the server has read of."""
    made = str(make_source().write_key)
    wait_for(lambda: send(web.base_url, "/v1/identify", b"{}", X_Write_Key=made)[0] != 401)
    return made


def begin(path: str, body: bytes = b"{", length: int = 9) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n".encode() + body


def read_all(client: socket.socket) -> bytes:
    answer = b""
    try:
        while piece := client.recv(65_536):
            answer += piece
    except ConnectionResetError:
        pass
    return answer


def assert_everybody_else_is_answered(web: WebServer, key: str) -> None:
    start = time.monotonic()
    assert send(web.base_url, "/healthz", b"")[0] == 200
    assert send(web.base_url, "/readyz", b"")[0] == 200
    assert send(web.base_url, "/track-event", b'{"event":"view","user_id":"ada"}', X_Write_Key=key)[0] == 202
    assert send(web.base_url, "/hooks/1/none", b"{}")[0] == 404
    # Django's own: a form without its token.
    assert send(web.base_url, "/admin/login/", b"")[0] == 403
    assert time.monotonic() - start < 2.5


def test_clients_that_send_half_a_body_hold_up_nobody_and_are_let_go(web: WebServer, key: str) -> None:
    with ExitStack() as stack:
        paths = ("/track-event", "/admin/login/", "/hooks/1/orders")
        idle = [stack.enter_context(web.open(begin(path))) for path in paths for _ in range(300)]
        assert_everybody_else_is_answered(web, key)
        for client in idle[::299]:
            answer = read_all(client)
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "body_timeout"
    assert Event.objects.count() == 1


def test_a_body_that_drips_has_no_more_time_than_one_that_stops(web: WebServer, key: str) -> None:
    with web.open(begin("/track-event", length=1_000)) as client:
        start = time.monotonic()
        while time.monotonic() - start < 10:
            try:
                client.sendall(b" ")
            except OSError:
                break
            time.sleep(0.1)
    assert time.monotonic() - start < 6


def test_clients_that_send_half_a_head_or_nothing_hold_up_nobody_and_are_let_go(web: WebServer, key: str) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(web.open(data)) for data in (b"", b"POST /track-event HTTP/1.1\r\nHo") * 300]
        assert_everybody_else_is_answered(web, key)
        assert [read_all(client) for client in idle[-4:]] == [b""] * 4


def test_clients_that_do_not_read_hold_up_nobody(web: WebServer, key: str) -> None:
    with ExitStack() as stack:
        for _ in range(40):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            client.connect(("127.0.0.1", web.port))
            client.sendall(f"GET {SCRIPT} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert client.recv(12) == b"HTTP/1.1 200"
        assert_everybody_else_is_answered(web, key)


def test_a_client_that_hangs_up_in_its_body_has_reported_nothing(web: WebServer, key: str) -> None:
    body = b'{"event":"view","user_id":"ada"}'
    for end in (len(body), 3):
        head = begin(f"/v1/events?key={key}", body[:end], len(body) + 3)
        web.open(head).close()
    assert send(web.base_url, "/v1/events", body, X_Write_Key=key)[0] == 202
    assert Event.objects.count() == 1


def ask(web: WebServer, path: str, key: str, rest: bytes) -> tuple[bytes, dict[str, str]]:
    """Send all of a request before anything of its answer is read."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Write-Key: {key}\r\nContent-Type: application/json\r\n"
    with web.open(head.encode() + b"Connection: close\r\n" + rest) as client:
        answer = read_all(client)
    return answer[9:12], json.loads(answer.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize(
    "path", ["/track-event", "/v1/track", "/batch/", "/hooks/1/orders", "/api/v1/schemas", "/nowhere"]
)
@pytest.mark.parametrize("chunks", [b"zz\r\nhello\r\n0\r\n\r\n", b"5\r\nhelloXX\r\n0\r\n\r\n"])
def test_malformed_chunks_are_rejected_with_a_code(web: WebServer, key: str, path: str, chunks: bytes) -> None:
    status, error = ask(web, path, key, b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
    assert (status, error["code"]) == (b"400", "body_incomplete")


def test_mixpanels_clients_find_the_code_in_a_header(web: WebServer) -> None:
    head = b"POST /track HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    with web.open(head + b"zz\r\nhello\r\n0\r\n\r\n") as client:
        answer = read_all(client).lower()
    assert answer.startswith(b"http/1.1 400 ")
    assert b"\r\nx-error-code: body_incomplete\r\n" in answer


def test_a_client_that_sends_all_before_it_reads_learns_that_its_body_is_too_large(web: WebServer, key: str) -> None:
    status, error = ask(web, "/v1/events", key, b"Content-Length: 5400000\r\n\r\n" + b"x" * 5_400_000)
    assert (status, error["code"]) == (b"413", "body_too_large")


def test_chunks_count_and_a_length_beside_them_does_not(web: WebServer, key: str) -> None:
    body = b'{"event":"view","user_id":"ada"}'
    chunks = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    assert ask(web, "/track-event", key, chunks)[0] == b"202"
    assert Event.objects.count() == 1


def test_a_request_under_way_is_answered_before_the_server_ends(key: str) -> None:
    body = b'{"event":"last","user_id":"ada"}'
    with (
        serve_web() as ending,
        ThreadPoolExecutor(2) as clients,
        open_connection("test-lock", timeout_ms=20_000) as holder,
    ):
        holder.execute("begin")
        holder.execute("lock table event in share row exclusive mode")
        paths = ("/v1/events", "/v1/events/")
        answers = [clients.submit(send, ending.base_url, path, body, X_Write_Key=key) for path in paths]
        wait_for(lambda: count_waiting_appenders() == 1, patience=5)
        ending.process.send_signal(signal.SIGTERM)
        with pytest.raises(OSError, match="refused"):
            wait_for(lambda: ending.open().close(), patience=5)
        assert not any(answer.done() for answer in answers)
        holder.execute("rollback")
        assert [answer.result()[0] for answer in answers] == [202, 202]
        assert ending.process.wait(20) == 0
    assert Event.objects.filter(name="last").count() == 2


def count_waiting_appenders() -> int:
    query = """select count(*) from pg_stat_activity
                where application_name = 'engagement-appender' and wait_event_type = 'Lock'"""
    with connection.cursor() as cursor:
        cursor.execute(query)
        return int(cursor.fetchone()[0])


def test_a_worker_that_is_killed_is_started_again(key: str) -> None:
    with serve_web("--workers", "2") as web:
        first = web.list_workers()
        for pid in first:
            os.kill(pid, signal.SIGKILL)

        def is_answered() -> bool:
            try:
                return send(web.base_url, "/track-event", b'{"event":"a","user_id":"b"}', X_Write_Key=key)[0] == 202
            except OSError:
                return False

        wait_for(is_answered, patience=30)
        assert web.process.poll() is None
        assert not set(first) & set(web.list_workers())


def test_workers_do_not_outlive_the_server_that_started_them() -> None:
    with serve_web("--workers", "2") as web:
        workers = web.list_workers()
        web.process.kill()
        web.process.wait()
        assert len(workers) == 2
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), patience=20)
