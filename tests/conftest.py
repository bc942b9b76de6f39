"""What all tests share: the processes of this one are closed before its database goes."""

from collections.abc import Iterator

import hypothesis
import pytest
from django.core.cache import cache
from pytest_django import DjangoDbBlocker

from tests.live import LivePlatform, start_platform
from tracking import discovery, gates, quarantine
from tracking.log.appenders import close_appender
from tracking.registry import forget_registry
from triggers.models import Rule, Template
from triggers.worker import close_worker

# The machine may be busy: how long an example takes says nothing about the code.
hypothesis.settings.register_profile("project", deadline=None)
hypothesis.settings.load_profile("project")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> list[tuple[str, str, int]]:
    """Take away the drafts that a new installation has, so that each test tells of its own rules only; return them."""
    with django_db_blocker.unblock():
        drafts = list(Rule.objects.values_list("name", "state", "definition__template"))
        Rule.objects.all().delete()
        Template.objects.all().delete()
    return drafts


@pytest.fixture
def log(transactional_db: None) -> Iterator[None]:
    """An empty log on a real database, with real commits; connections of our own are closed afterwards."""
    forget_registry()
    discovery.forget_types()
    quarantine.forget_counts()
    gates.forget_gates()
    cache.clear()
    yield
    close_appender()
    close_worker()
    forget_registry()


@pytest.fixture(scope="session")
def live_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePlatform]:
    """All that `make run` starts, as real processes on a state folder and port of its own."""
    platform = start_platform()
    yield platform
    platform.stop()
