"""Kill -9 whatever runs while events come in: nothing accepted is lost, nothing is sent twice."""

import json
import mailbox
import os
import signal
import socket
import threading
import time
import urllib.error
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.live import LivePlatform, start_platform, wait_for
from triggers.evaluate.effects import compute_activation_id

pytestmark = pytest.mark.xdist_group("kills")

MAKE_RULE = """
from triggers.models import *
from triggers.lifecycle import activate_rule, pause_rule
# The demo's mails, to who has done nothing for a minute, would go out while mails are counted.
for demo in Rule.objects.filter(state="active"):
    pause_rule(demo)
template = Template.objects.create(name="Chaos")
TemplateVersion.objects.create(template=template, number=1, subject="{{ user.id }}", html="<p>x</p>", text="x")
definition = {"format": 1, "trigger": {"kind": "event", "event": "chaos_signup"}, "template": template.pk}
rule = Rule.objects.create(name="Chaos", definition=definition)
activate_rule(rule)
print(rule.pk)
"""


@pytest.fixture(scope="module")
def platform() -> Iterator[LivePlatform]:
    running = start_platform()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def keys(platform: LivePlatform) -> dict[str, str]:
    return dict(json.loads(platform.manage("source", "add", "Chaos").strip().splitlines()[-1]))


@pytest.fixture(scope="module")
def rule_id(platform: LivePlatform) -> int:
    return int(platform.manage("shell", "-v", "0", "-c", MAKE_RULE).strip().splitlines()[-1])


class Client(threading.Thread):
    """Signs people up, one after the other, and like a real client sends again what was not confirmed."""

    def __init__(self, platform: LivePlatform, key: str, people: int) -> None:
        super().__init__()
        self.platform, self.key, self.people = platform, key, people
        self.accepted: list[UUID] = []
        self.tries = 0

    def run(self) -> None:
        for number in range(self.people):
            user_id = f"{self.name}-{number}-{uuid4().hex[:6]}@example.com"
            self.send("/v1/identify", {"user_id": user_id, "traits": {"email": user_id}, "message_id": uuid4().hex})
            event = {"event": "chaos_signup", "user_id": user_id, "message_id": uuid4().hex}
            self.accepted.append(UUID(self.send("/v1/events", event)))

    def send(self, path: str, body: Mapping[str, object]) -> str:
        def confirmed() -> str | None:
            self.tries += 1
            try:
                status, answer = self.platform.post(path, body, Authorization=f"Bearer {self.key}")
            except (OSError, urllib.error.URLError, ValueError):
                return None
            return str(answer["results"][0]["id"]) if status == 202 else None

        return str(wait_for(confirmed, patience=60))


@pytest.mark.parametrize(
    "victim", ["engagement.web", "engagement.celery worker", "engagement.celery beat", "valkey-server", "postgres -D"]
)
def test_a_kill_loses_nothing_and_sends_nothing_twice(
    platform: LivePlatform, keys: dict[str, str], rule_id: int, victim: str
) -> None:
    clients = [Client(platform, keys["secret_key"], 25) for _ in range(4)]
    for client in clients:
        client.start()
    wait_for(lambda: sum(len(client.accepted) for client in clients) > 20)

    assert platform.kill(victim) >= 1
    for client in clients:
        client.join()

    accepted = {identifier for client in clients for identifier in client.accepted}
    wait_for(lambda: platform.find_pids(victim), patience=30)
    expected = {compute_activation_id(rule_id, identifier) for identifier in accepted}
    assert find_missing(platform, "event", accepted) == set()
    wait_until_settled(platform, expected)
    assert_replay_agrees(platform)
    assert_no_mail_twice(platform)


@contextmanager
def hold_back(platform: LivePlatform, lock: str) -> Iterator[None]:
    """Keep a worker waiting in the middle of its transaction, by a lock on what it is about to write."""
    with platform.connect() as connection, connection.transaction():
        connection.execute(lock.encode())
        yield


def wait_for_blocked_worker(platform: LivePlatform) -> None:
    blocked = """select count(*) from pg_stat_activity
                  where application_name = 'engagement-worker' and wait_event_type = 'Lock'"""
    with platform.connect() as connection:
        wait_for(lambda: (connection.execute(blocked).fetchone() or (0,))[0] > 0)


@pytest.mark.parametrize("table", ["profile", "activation", "delivery"])
def test_a_worker_killed_in_mid_batch_decides_it_again_as_a_whole(
    platform: LivePlatform, keys: dict[str, str], rule_id: int, table: str
) -> None:
    with hold_back(platform, f"lock table {table} in share row exclusive mode"):
        client = Client(platform, keys["secret_key"], 3)
        client.start()
        wait_for_blocked_worker(platform)
        assert platform.kill("engagement.celery worker") >= 1
        client.join()

    expected = {compute_activation_id(rule_id, identifier) for identifier in client.accepted}
    wait_until_settled(platform, expected)
    assert_replay_agrees(platform)
    assert_no_mail_twice(platform)


def test_a_worker_killed_before_it_hands_over_sends_one_mail_after_the_lease(
    platform: LivePlatform, keys: dict[str, str], rule_id: int
) -> None:
    wait_for(lambda: not count_open(platform), patience=60)
    with hold_back(platform, "lock table triggers_suppression in access exclusive mode"):
        client = Client(platform, keys["secret_key"], 1)
        client.start()
        client.join()
        wait_for_blocked_worker(platform)
        assert platform.kill("engagement.celery worker") >= 1

    activation_id = compute_activation_id(rule_id, client.accepted[0])
    wait_until_settled(platform, {activation_id})
    with platform.connect() as connection:
        query = "select state from delivery where activation_id = %s"
        assert connection.execute(query, (activation_id,)).fetchall() == [("accepted",)]
    assert_no_mail_twice(platform)


def test_an_answer_that_was_lost_and_retried_is_one_event_of_one_person(
    platform: LivePlatform, keys: dict[str, str]
) -> None:
    """A page without any id: its first request is stored, but answer and cookie never arrive."""
    message_id = uuid4().hex
    body = json.dumps({"event": "page_view", "message_id": message_id}).encode()
    head = (
        f"POST /track-event HTTP/1.1\r\nHost: 127.0.0.1:{platform.port}\r\nX-Write-Key: {keys['write_key']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    stored = "select id, anonymous_id from event where message_id = %s"
    with platform.connect() as connection:
        with socket.create_connection(("127.0.0.1", platform.port), timeout=30) as lost:
            lost.sendall(head.encode() + body)
            # Who hangs up before the request has begun has reported nothing.
            first = wait_for(lambda: connection.execute(stored, (message_id,)).fetchall())
        status, answer = platform.post("/track-event", json.loads(body), X_Write_Key=keys["write_key"])
        assert (status, answer["results"][0]["id"]) == (202, str(first[0][0]))
        assert connection.execute(stored, (message_id,)).fetchall() == first


@contextmanager
def keep_away(platform: LivePlatform, seconds: float) -> Iterator[None]:
    """Kill the database and Valkey, and let nobody start them again for a time."""
    os.kill(platform.process.pid, signal.SIGSTOP)
    try:
        assert platform.kill("postgres -D") == platform.kill("valkey-server") == 1
        yield
        time.sleep(seconds)
    finally:
        os.kill(platform.process.pid, signal.SIGCONT)


def wait_for_database(platform: LivePlatform) -> None:
    def ask() -> bool:
        with suppress(psycopg.OperationalError), platform.connect():
            return True
        return False

    wait_for(ask, patience=60)


def test_after_an_outage_every_part_is_back_within_seconds(
    platform: LivePlatform, keys: dict[str, str], rule_id: int
) -> None:
    """It lasts so long that who waits twice as long after each failure sleeps through its end for several seconds."""
    clients = [Client(platform, keys["secret_key"], 1) for _ in range(8)]
    with keep_away(platform, 8):
        for client in clients:
            client.start()
    wait_for_database(platform)
    back = time.monotonic()
    for client in clients:
        client.join()
    accepted_after = time.monotonic() - back
    expected = {compute_activation_id(rule_id, client.accepted[0]) for client in clients}
    wait_for(lambda: not find_missing(platform, "activation", expected), patience=60)
    decided_after = time.monotonic() - back

    assert accepted_after < 3
    assert decided_after < 6
    wait_until_settled(platform, expected)
    assert_no_mail_twice(platform)


def wait_until_settled(platform: LivePlatform, activation_ids: set[UUID]) -> None:
    """Wait until these have happened, each has led to a delivery, and no delivery of anybody's is open."""
    wait_for(lambda: not find_missing(platform, "activation", activation_ids), patience=60)
    wait_for(lambda: not find_missing(platform, "delivery", activation_ids, column="activation_id"), patience=60)
    wait_for(lambda: not count_open(platform), patience=60)


def find_missing(platform: LivePlatform, table: str, ids: set[UUID], column: str = "id") -> set[UUID]:
    with platform.connect() as connection:
        rows = connection.execute(f"select {column} from {table} where {column} = any(%s)", (list(ids),)).fetchall()
    return ids - {row[0] for row in rows}


def count_open(platform: LivePlatform) -> int:
    """Deliveries that are still to be settled; the lease of who died is let run out at once, not after two minutes, and
    what is to be tried again is due at once: a mail that goes out while mails are counted would be one too many."""
    query = "select count(*) from delivery where state in ('planned', 'claimed', 'handed_over')"
    with platform.connect() as connection:
        connection.execute(
            "update delivery set lease_until = clock_timestamp() - interval '1 s'"
            " where state in ('claimed', 'handed_over') and updated_at < clock_timestamp() - interval '8 s'"
        )
        connection.execute(
            "update delivery set due_at = clock_timestamp() where state = 'planned' and reason = 'retry'"
        )
        row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def assert_replay_agrees(platform: LivePlatform) -> None:
    """What a replay of the log computes is what is in the table, no more and no less."""
    found = json.loads(platform.manage("audit", "--json").strip().splitlines()[-1])
    assert (found["missed"], found["unfounded"], found["failed"]) == ([], [], [])
    assert found["activations"] > 0
    with platform.connect() as connection:
        names = "select count(*), count(distinct user_id) from event where name = 'chaos_signup'"
        signed_up, people = connection.execute(names).fetchone() or (0, 0)
    assert signed_up == people


def assert_no_mail_twice(platform: LivePlatform) -> None:
    """Every accepted delivery is one mail; one in doubt may have arrived or not."""
    inbox = mailbox.Maildir(platform.state / "inbox", create=False)
    ids = [UUID(str(mail["Message-ID"]).strip("<>").partition("@")[0]) for mail in inbox]
    with platform.connect() as connection:
        states = dict(connection.execute("select id, state from delivery").fetchall())
    assert len(ids) == len(set(ids))
    assert {identifier for identifier, state in states.items() if state == "accepted"} <= set(ids)
    assert all(states[identifier] in ("accepted", "in_doubt") for identifier in ids)
