"""What all tests share: the processes of this one are closed before its database goes."""

from collections.abc import Iterator

import hypothesis
import pytest
from django.core.cache import cache

from tests.live import LivePlatform, start_platform
from tracking import discovery
from tracking.log.appenders import close_appender
from tracking.registry import forget_registry
from triggers.worker import close_worker

# The machine may be busy: how long an example takes says nothing about the code.
hypothesis.settings.register_profile("project", deadline=None)
hypothesis.settings.load_profile("project")


@pytest.fixture
def log(transactional_db: None) -> Iterator[None]:
    """An empty log on a real database, with real commits; connections of our own are closed afterwards."""
    forget_registry()
    discovery.forget_types()
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
