"""What these stories begin with: an app that reports, somebody else's server, and ways to let time pass."""

from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from django.conf import LazySettings
from django.db.models import Sum

from tests.cast import make_source
from tests.other_side import OtherSide
from tracking.models import Source
from triggers.forward.kinds.webhook import make_secret
from triggers.forward.run import PassReport, find_due, run_pass
from triggers.forward.secrets import write_secrets
from triggers.forward.switch import switch_on
from triggers.models import CopyCount, Destination, DestinationProgress
from triggers.worker import get_worker

MakeDestination = Callable[..., Destination]
SECRET = make_secret()


@pytest.fixture
def source(log: None) -> Source:
    return make_source()


@pytest.fixture
def other_side(settings: LazySettings) -> Iterator[OtherSide]:
    settings.OUTBOUND_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    server = OtherSide()
    yield server
    server.stop()


@pytest.fixture
def make_destination(source: Source, other_side: OtherSide) -> MakeDestination:
    """Return a function: a destination at the other side that begins now."""

    def make(kind: str = "webhook", *, is_on: bool = True, **fields: Any) -> Destination:
        own = {
            "webhook": ({"url": other_side.url + "/hook"}, {"signing_secret": SECRET}),
            "ga4": ({"measurement_id": "G-TEST", "endpoint": other_side.url}, {"api_secret": "sesame"}),
            "mixpanel": ({"endpoint": other_side.url}, {"project_token": "tok"}),
        }
        settings, secrets = own[kind]
        settings = settings | fields.pop("settings", {})
        destination = Destination(name=fields.pop("name", kind), kind=kind, settings=settings, **fields)
        write_secrets(destination, secrets)
        destination.save()
        if is_on:
            switch_on(destination)
        return destination

    return make


def forward() -> list[PassReport]:
    """Tell all destinations what is new, as beat would."""
    connection = get_worker().connection
    return [run_pass(connection, destination_id) for destination_id in find_due(connection)]


def let_wait_pass() -> None:
    """Let the time pass after which a destination that refused, or a lane, is tried again."""
    get_worker().connection.execute("update triggers_destinationprogress set retry_at = clock_timestamp()")
    get_worker().connection.execute("update triggers_copylease set retry_at = clock_timestamp()")


def let_leases_end() -> None:
    """Let the time pass after which somebody else may take a lane."""
    get_worker().connection.execute("update triggers_copylease set lease_until = clock_timestamp() - interval '1 s'")


def load_progress(destination: Destination) -> DestinationProgress:
    """Return how sending goes."""
    return DestinationProgress.objects.get(pk=destination.pk)


def count_copies() -> tuple[int, int]:
    """Return how many copies were sent and refused: the hour may have changed in between."""
    sums = CopyCount.objects.aggregate(sent=Sum("sent", default=0), refused=Sum("refused", default=0))
    return sums["sent"], sums["refused"]
