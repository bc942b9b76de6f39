"""A server that is away: how soon our clients try again, and how soon it is noticed."""

import kombu
import pytest
from celery import current_app
from kombu.exceptions import OperationalError
from psycopg_pool.base import AttemptWithBackoff

from engagement import env


def test_the_pool_tries_again_within_a_second_however_long_the_database_is_away() -> None:
    attempt, now, pauses = AttemptWithBackoff(timeout=300), 1000.0, []
    for _ in range(100):
        attempt.update_delay(now)
        pauses.append(attempt.delay)
        now += attempt.delay

    assert min(pauses) > 0
    assert max(pauses) <= 1


def test_workers_and_beat_try_the_broker_again_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens at the place; the pauses are noted and not slept."""
    pauses: list[float] = []
    monkeypatch.setattr("kombu.utils.functional.sleep", lambda _: None)
    with current_app.connection_for_read("redis+socket:///nowhere") as connection:
        assert isinstance(connection, kombu.Connection)
        with pytest.raises(OperationalError):
            connection.ensure_connection(lambda error, pause: pauses.append(pause), 20)

    assert len(pauses) == 20
    assert max(pauses) <= 1
    assert current_app.conf.broker_connection_max_retries is None, "after so many tries a worker would end"


def test_a_database_that_vanished_is_noticed_unless_the_url_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://app@db.example/shop?connect_timeout=9&sslmode=require")
    options = env.read_database("DATABASE_URL")["OPTIONS"]

    assert (options["connect_timeout"], options["sslmode"]) == ("9", "require")
    assert int(options["tcp_user_timeout"]) <= 5000
    assert (
        int(options["keepalives_idle"]) + int(options["keepalives_interval"]) * int(options["keepalives_count"]) <= 10
    )
