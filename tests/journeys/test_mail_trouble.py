"""A mail server that falters, told by real processes: nothing is lost, and what is in doubt is not sent twice."""

import json
from collections.abc import Iterator

import pytest

from tests.live import LivePlatform, start_platform, wait_for
from tests.mail_server import MailServer

MAKE_RULE = """
from triggers.lifecycle import activate_rule
from triggers.models import Rule
from triggers.models import Template
from triggers.template_versions import save_template
template = Template.objects.create(name="Trouble")
save_template(template, subject="Hello {{ user.id }}", html="<p>Hello</p>", text="")
definition = {"format": 1, "trigger": {"kind": "event", "event": "trouble"}, "template": template.pk}
activate_rule(Rule.objects.create(name="Trouble", definition=definition))
"""

pytestmark = pytest.mark.xdist_group("mail_trouble")


@pytest.fixture(scope="module")
def server() -> Iterator[MailServer]:
    mail_server = MailServer()
    mail_server.start()
    yield mail_server
    mail_server.stop()


@pytest.fixture(scope="module")
def platform(server: MailServer) -> Iterator[LivePlatform]:
    live = start_platform(EMAIL_URL=f"smtp://127.0.0.1:{server.port}")
    yield live
    live.stop()


@pytest.fixture(scope="module")
def key(platform: LivePlatform) -> str:
    platform.manage("shell", "-v", "0", "-c", MAKE_RULE)
    return str(json.loads(platform.manage("source", "add", "Trouble").strip().splitlines()[-1])["secret_key"])


def meet(platform: LivePlatform, key: str, user_id: str) -> None:
    header = {"Authorization": f"Bearer {key}"}
    traits = {"email": f"{user_id}@example.com"}
    assert platform.post("/v1/identify", {"user_id": user_id, "traits": traits}, **header)[0] == 202
    assert platform.post("/v1/events", {"event": "trouble", "user_id": user_id}, **header)[0] == 202


def read_states(platform: LivePlatform, user_id: str) -> list[tuple[str, str]]:
    query = """select d.state, d.reason from delivery d join profile p on p.id = d.profile_id where p.user_id = %s"""
    with platform.connect() as connection:
        return [(row[0], row[1]) for row in connection.execute(query, (user_id,)).fetchall()]


def read_recipients(server: MailServer) -> list[str]:
    return [str(mail["To"]) for mail in server.mails]


def test_a_mail_in_doubt_waits_for_a_person_while_others_go_out(
    platform: LivePlatform, server: MailServer, key: str
) -> None:
    server.break_after_body = True
    meet(platform, key, "ada")
    wait_for(lambda: read_states(platform, "ada") == [("in_doubt", "connection_lost")])

    server.break_after_body = False
    meet(platform, key, "bob")

    wait_for(lambda: "bob@example.com" in read_recipients(server))
    assert "ada@example.com" not in read_recipients(server)
    assert read_states(platform, "ada") == [("in_doubt", "connection_lost")]


def test_a_mail_that_was_put_off_goes_out_once_when_the_server_is_back(
    platform: LivePlatform, server: MailServer, key: str
) -> None:
    server.refuse = "451 come back later"
    meet(platform, key, "eve")
    wait_for(lambda: read_states(platform, "eve") == [("planned", "retry")])

    server.refuse = None
    with platform.connect() as connection:
        connection.execute("update delivery set due_at = clock_timestamp() where reason = 'retry'")

    wait_for(lambda: read_states(platform, "eve") == [("accepted", "")])
    assert read_recipients(server).count("eve@example.com") == 1


def test_a_worker_that_dies_while_the_server_ponders_sends_nothing_twice(
    platform: LivePlatform, server: MailServer, key: str
) -> None:
    server.hold()
    meet(platform, key, "mallory")
    wait_for(lambda: read_states(platform, "mallory") == [("handed_over", "")])

    assert platform.kill("engagement.celery worker") >= 1
    server.let_go()
    with platform.connect() as connection:
        connection.execute("update delivery set lease_until = clock_timestamp() where state = 'handed_over'")

    wait_for(lambda: read_states(platform, "mallory") == [("in_doubt", "no_answer")], patience=120)
    meet(platform, key, "carol")
    wait_for(lambda: "carol@example.com" in read_recipients(server), patience=120)
    assert read_recipients(server).count("mallory@example.com") <= 1
