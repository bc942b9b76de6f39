"""What all tests share: the processes of this one are closed before its database goes."""

import os
from collections.abc import Iterator

import hypothesis
import pytest
from django.conf import LazySettings
from django.conf import settings as django_settings
from django.core.cache import cache
from django.test import TransactionTestCase
from playwright.sync_api import Browser, expect, sync_playwright
from pytest_django import DjangoDbBlocker

from engagement.local.browser import find_browser
from tests.cast import make_source
from tests.emptying import empty_database
from tests.live import ASYNC_UNSAFE, LivePlatform, start_platform
from tests.mail_server import MailServer, point_to
from tests.starting import forbid_starting, mark_starters
from tracking import discovery, gates, quarantine, sampling
from tracking.admission import forget_limiter
from tracking.hooks.diary import close_diary
from tracking.hooks.known import forget_hooks
from tracking.log.appenders import close_appender
from tracking.models import Source
from tracking.refusals import close_tally
from tracking.registry import forget_registry
from triggers.models import Rule, Template
from triggers.worker import close_worker

LONGEST_ID = 200
_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")

# The machine may be busy: how long an example takes says nothing about the code.
# What CI finds, it must find again: new examples are looked for elsewhere.
hypothesis.settings.register_profile("project", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("project")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start a process or a browser: `make test-fast` leaves them out."""
    mark_starters(items)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a case by the length of a long text: a name is sent between processes and stands in the environment."""
    return f"{argname} of {len(val)}" if isinstance(val, str | bytes) and len(val) > LONGEST_ID else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Let no test start a process that is not marked."""
    forbid_starting(item)
    try:
        return (yield)
    finally:
        forbid_starting(None)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> list[tuple[str, str, int]]:
    """Take away the drafts that a new installation has, so that each test tells of its own rules only; return them."""
    with django_db_blocker.unblock():
        drafts = list(Rule.objects.values_list("name", "state", "definition__template"))
        Rule.objects.all().delete()
        Template.objects.all().delete()
    # A quarter of a second for each of a thousand logins is for who guesses passwords, not for tests.
    django_settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    TransactionTestCase._fixture_teardown = empty_database  # type: ignore[attr-defined]
    return drafts


@pytest.fixture
def log(transactional_db: None) -> Iterator[None]:
    """An empty log on a real database, with real commits; connections of our own are closed afterwards."""
    forget_registry()
    forget_limiter()
    forget_hooks()
    discovery.forget_types()
    quarantine.forget_counts()
    gates.forget_gates()
    sampling.forget_allowances()
    cache.clear()
    yield
    close_diary()
    close_tally()
    close_appender()
    close_worker()
    forget_registry()


@pytest.fixture
def source(log: None) -> Source:
    """An app that reports."""
    return make_source()


@pytest.fixture
def server(settings: LazySettings) -> Iterator[MailServer]:
    """A mail server that takes what it is given."""
    mail_server = MailServer()
    mail_server.start()
    point_to(settings, mail_server.port)
    yield mail_server
    mail_server.stop()


@pytest.fixture(scope="session")
def live_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePlatform]:
    """All that `make run` starts, as real processes on a state folder and port of its own."""
    platform = start_platform()
    yield platform
    platform.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium. Without one the tests are skipped, but never in CI."""
    path = find_browser()
    if path is None:
        assert not os.environ.get("CI"), "Chromium is not installed"
        pytest.skip("Chromium is not installed: `make test` says how")
    # Playwright leaves an event loop running in this thread, and Django takes whatever comes after for asynchronous.
    os.environ[ASYNC_UNSAFE] = "true"
    # How long a page takes says nothing about the code either.
    expect.set_options(timeout=45_000)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield running
        running.close()
