"""One dependency is away, and whatever does not need it goes on; when it is back, so does the rest. Real processes.

Each test takes something from a running platform and gives it back, so that all of them share one.
"""

import json
import shutil
import signal
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from engagement.local.postgres import Postgres
from engagement.local.valkey import Valkey
from tests.live import start_platform, wait_for
from tests.mail_server import MailServer
from tests.rabbitmq import RabbitMQ

pytestmark = pytest.mark.xdist_group("away")

MAKE_RULE = """
from triggers.models import *
from triggers.lifecycle import activate_rule, pause_rule
for other in Rule.objects.filter(state="active"):
    pause_rule(other)
template = Template.objects.create(name="Away")
TemplateVersion.objects.create(template=template, number=1, subject="{{ user.id }}", html="<p>x</p>", text="x")
definition = {"format": 1, "trigger": {"kind": "event", "event": "away_signup"}, "template": template.pk}
activate_rule(Rule.objects.create(name="Away", definition=definition))
"""


class Services:
    """What belongs to the test and not to the platform, so that it can be taken away."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="away-"))
        self.folder.chmod(0o755)
        self.database = Postgres(self.folder / "postgres", log=self.folder / "postgres.log", fast=True)
        self.cache = Valkey(self.folder / "cache", log=self.folder / "cache.log", persist=False)
        self.mail = MailServer()
        for service in (self.database, self.cache, self.mail):
            service.start()

    def close(self) -> None:
        """Stop everything."""
        for service in (self.mail, self.cache, self.database):
            service.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Installation:
    """A platform on these services, and on a broker of its own."""

    def __init__(self, services: Services, broker: str) -> None:
        self.database, self.cache, self.mail = services.database, services.cache, services.mail
        valkey = Valkey(services.folder / "broker", log=services.folder / "broker.log", persist=False)
        self.broker = RabbitMQ() if broker == "rabbitmq" else valkey
        self.broker.start()
        self.platform = start_platform(
            DATABASE_URL=self.database.url,
            CACHE_URL=self.cache.cache_url(),
            CELERY_BROKER_URL=self.broker.url if isinstance(self.broker, RabbitMQ) else self.broker.broker_url(),
            EMAIL_URL=f"smtp://127.0.0.1:{self.mail.port}",
            EMAIL_TIMEOUT="2",
        )
        with self.platform.connect() as connection:
            if connection.execute("select from triggers_rule where name = 'Away'").fetchone() is None:
                self.platform.manage("shell", "-v", "0", "-c", MAKE_RULE)
        self.keys = json.loads(self.platform.manage("source", "add", broker).strip().splitlines()[-1])
        self.workers = self.find_workers()

    def find_workers(self) -> list[int]:
        """Return the ids of worker and beat."""
        return self.platform.find_pids("engagement.celery")

    def sign_up(self) -> str:
        """Report somebody; return whose mail is to come. The request must be answered by 202."""
        user_id = f"{uuid4().hex[:8]}@example.com"
        person = {"user_id": user_id, "traits": {"email": user_id}}
        event = {"event": "away_signup", "user_id": user_id}
        for path, body in (("/v1/identify", person), ("/v1/events", event)):
            assert self.post(path, body) == 202
        return user_id

    def post(self, path: str, body: object) -> int:
        """Report something; return the status."""
        return self.platform.post(path, body, Authorization=f"Bearer {self.keys['secret_key']}")[0]

    def open_page(self, path: str) -> int:
        """Return the status of a page."""
        try:
            with urllib.request.urlopen(self.platform.base_url + path, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def wait_for_mail(self, user_id: str, patience: float = 30) -> None:
        """Wait until the mail of somebody came."""
        wait_for(lambda: any(mail["To"] == user_id for mail in self.mail.mails), patience=patience)

    def read_log(self, name: str) -> str:
        """Return what worker or beat have written."""
        return (self.platform.state / "logs" / f"{name}.log").read_text()

    def close(self) -> None:
        """Stop everything."""
        self.platform.stop()
        self.broker.stop()


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    running = Services()
    yield running
    running.close()


@pytest.fixture(scope="module", params=["valkey", "rabbitmq"])
def installation(services: Services, request: pytest.FixtureRequest) -> Iterator[Installation]:
    running = Installation(services, request.param)
    yield running
    running.close()


@contextmanager
def kill(service: Postgres | Valkey | RabbitMQ) -> Iterator[None]:
    """Take a service away without a farewell, and start it again."""
    assert service.process is not None
    service.process.kill()
    service.process.wait(20)
    yield
    service.start()


@contextmanager
def freeze(service: Postgres | Valkey | RabbitMQ) -> Iterator[None]:
    """Have a service take connections and never answer."""
    assert service.process is not None
    service.process.send_signal(signal.SIGSTOP)
    yield
    service.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("take_away", [kill, freeze])
def test_messages_go_out_without_the_cache(installation: Installation, take_away: Callable[..., object]) -> None:
    with take_away(installation.cache):  # type: ignore[attr-defined]
        installation.wait_for_mail(installation.sign_up())
        assert installation.open_page("/admin/login/") == 200

    installation.wait_for_mail(installation.sign_up())
    assert installation.find_workers() == installation.workers


@contextmanager
def hold_a_task(installation: Installation) -> Iterator[None]:
    """Keep the evaluator in the middle of a task, which nobody has acknowledged."""
    blocked = """select count(*) from pg_stat_activity
                  where application_name = 'engagement-worker' and wait_event_type = 'Lock'"""
    with installation.platform.connect() as lock, installation.platform.connect() as look, lock.transaction():
        lock.execute("lock table activation in share row exclusive mode")
        installation.sign_up()
        wait_for(lambda: (look.execute(blocked).fetchone() or (0,))[0] > 0)
        yield


def test_the_worker_survives_its_broker_and_events_wait_for_it(installation: Installation) -> None:
    with hold_a_task(installation):
        away = kill(installation.broker)
        away.__enter__()
    user_id = installation.sign_up()
    assert installation.open_page("/admin/login/") == 200
    wait_for(lambda: "task_not_sent" in installation.read_log("beat"))
    away.__exit__(None, None, None)

    installation.wait_for_mail(user_id)
    assert installation.find_workers() == installation.workers
    assert "Traceback" not in installation.read_log("beat")


def test_whoever_reports_is_told_to_come_again_while_the_database_is_away(installation: Installation) -> None:
    with kill(installation.database):
        assert installation.post("/v1/events", {"event": "away_signup", "user_id": "ada"}) == 503
        assert installation.open_page("/healthz") == 200

    # Each web process finds it again by itself.
    view = {"event": "page_view", "user_id": "ada"}
    wait_for(lambda: all(installation.post("/v1/events", view) == 202 for _ in range(10)))
    installation.wait_for_mail(installation.sign_up())
    assert installation.find_workers() == installation.workers


def test_a_mail_waits_for_its_server_and_all_else_goes_on(installation: Installation) -> None:
    retried = """update delivery set due_at = clock_timestamp() where reason = 'retry' and state = 'planned'"""
    installation.mail.stop()
    user_id = installation.sign_up()
    with installation.platform.connect() as connection:
        wait_for(lambda: connection.execute(retried).rowcount)
        log = installation.read_log("worker")
        assert "event=delivery" in log
        assert "outcome=retry cause=ConnectionRefusedError" in log
        assert "@example.com" not in log
        installation.mail.start()
        wait_for(lambda: connection.execute(retried).rowcount + len(installation.mail.mails))
    installation.wait_for_mail(user_id)
    assert installation.find_workers() == installation.workers
