"""Kill -9 whatever runs while events come in: nothing accepted is lost, nothing is sent twice."""

import json
import mailbox
import threading
import urllib.error
from collections.abc import Iterator, Mapping
from uuid import UUID, uuid4

import pytest

from tests.live import LivePlatform, start_platform, wait_for
from triggers.evaluate.effects import compute_activation_id

pytestmark = pytest.mark.xdist_group("live")

MAKE_RULE = """
from triggers.models import *
from triggers.lifecycle import activate_rule
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
    "victim", ["granian", "engagement.celery worker", "engagement.celery beat", "valkey-server", "postgres -D"]
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
    wait_for(lambda: not find_missing(platform, "activation", expected), patience=60)
    wait_for(lambda: not count_open(platform), patience=60)
    assert_replay_agrees(platform, rule_id)
    assert_no_mail_twice(platform)


def find_missing(platform: LivePlatform, table: str, ids: set[UUID]) -> set[UUID]:
    with platform.connect() as connection:
        rows = connection.execute(f"select id from {table} where id = any(%s)", (list(ids),)).fetchall()
    return ids - {row[0] for row in rows}


def count_open(platform: LivePlatform) -> int:
    """Deliveries that are still to be settled; the lease of who died is let run out at once, not after two minutes."""
    query = "select count(*) from delivery where state in ('planned', 'claimed', 'handed_over') and reason <> 'retry'"
    with platform.connect() as connection:
        connection.execute(
            "update delivery set lease_until = clock_timestamp() - interval '1 s'"
            " where state in ('claimed', 'handed_over') and updated_at < clock_timestamp() - interval '8 s'"
        )
        row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def assert_replay_agrees(platform: LivePlatform, rule_id: int) -> None:
    """What follows from the log is what is in the table, no more and no less."""
    with platform.connect() as connection:
        events = connection.execute("select id from event where name = 'chaos_signup'").fetchall()
        found = connection.execute("select id from activation where rule_id = %s", (rule_id,)).fetchall()
        users = connection.execute("select count(distinct user_id) from event where name = 'chaos_signup'").fetchone()
    assert {compute_activation_id(rule_id, row[0]) for row in events} == {row[0] for row in found}
    assert users == (len(events),)


def assert_no_mail_twice(platform: LivePlatform) -> None:
    """Every accepted delivery is one mail; one in doubt may have arrived or not."""
    inbox = mailbox.Maildir(platform.state / "inbox", create=False)
    ids = [UUID(str(mail["Message-ID"]).strip("<>").partition("@")[0]) for mail in inbox]
    with platform.connect() as connection:
        states = dict(connection.execute("select id, state from delivery").fetchall())
    assert len(ids) == len(set(ids))
    assert {identifier for identifier, state in states.items() if state == "accepted"} <= set(ids)
    assert all(states[identifier] in ("accepted", "in_doubt") for identifier in ids)
