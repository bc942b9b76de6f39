"""Probes: a balancer asks by IP address, over plain http, and at any moment."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client

from tests.tracking.test_database_away import lose_database
from tracking.log.partitions import drop_partitions, ensure_partitions

pytestmark = pytest.mark.usefixtures("log")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_probe_by_address_over_plain_http_is_answered(settings: LazySettings, path: str) -> None:
    settings.ALLOWED_HOSTS = ["engage.example"]
    settings.SECURE_SSL_REDIRECT = True

    answer = Client().get(path, headers={"host": "10.1.2.3:8000"})

    assert answer.status_code == 200
    assert Client().get("/admin/login/", headers={"host": "engage.example"}).status_code == 301


def test_an_installation_takes_events_while_the_broker_is_away(settings: LazySettings) -> None:
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"

    answer = Client().get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "checks": {"database": "ok", "migrations": "ok", "partitions": "ok"}}


def test_without_a_database_a_process_is_up_and_not_ready(tmp_path: Path) -> None:
    with lose_database(tmp_path):
        assert Client().get("/healthz").status_code == 200
        answer = Client().get("/readyz")
    connection.close()

    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "OperationalError"


def test_a_migration_that_is_not_applied_is_not_ready() -> None:
    with connection.cursor() as cursor:
        cursor.execute("delete from django_migrations where app = 'triggers' and name like '0001%%'")
    try:
        answer = Client().get("/readyz")
    finally:
        with connection.cursor() as cursor:
            cursor.execute(
                "insert into django_migrations (app, name, applied) values ('triggers', '0001_initial', now())"
            )

    assert answer.status_code == 503
    assert answer.json()["checks"]["migrations"] == "1 migrations are not applied"


def test_a_log_without_a_partition_for_now_is_not_ready() -> None:
    now = datetime.now(UTC)
    drop_partitions(now + timedelta(days=31))
    try:
        answer = Client().get("/readyz")
    finally:
        ensure_partitions(now - timedelta(days=402), now + timedelta(days=62))

    assert answer.status_code == 503
    assert f"the log has no partition event_{now:%Y_%m}" in answer.json()["checks"]["partitions"]
