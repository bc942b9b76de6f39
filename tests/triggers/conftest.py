"""What these stories begin with: an app that reports, and a mail server that takes what it is given."""

from collections.abc import Iterator

import pytest
from django.conf import LazySettings

from tests.cast import make_source
from tests.mail_server import MailServer, point_to
from tracking.models import Source


@pytest.fixture
def source(log: None) -> Source:
    return make_source()


@pytest.fixture
def server(settings: LazySettings) -> Iterator[MailServer]:
    mail_server = MailServer()
    mail_server.start()
    point_to(settings, mail_server.port)
    yield mail_server
    mail_server.stop()
