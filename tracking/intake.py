"""What the door works with in this process."""

from datetime import UTC, datetime, timedelta

import msgspec
from django.conf import settings

from tracking.log.append import Appender
from tracking.log.appenders import get_appender
from tracking.registry import Registry, get_registry


class Intake(msgspec.Struct, frozen=True, kw_only=True):
    """Who is known, who writes, the moment, and how far back events are kept."""

    registry: Registry
    appender: Appender
    now: datetime
    retention: timedelta


def open_intake() -> Intake:
    """Return what the door of this process works with, now."""
    return make_intake(get_registry())


def make_intake(registry: Registry) -> Intake:
    """Return what the door of this process works with, now, by a registry that is fresh enough."""
    return Intake(
        registry=registry,
        appender=get_appender(),
        now=datetime.now(UTC),
        retention=timedelta(days=settings.RETENTION_DAYS),
    )
