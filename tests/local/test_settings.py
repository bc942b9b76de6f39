"""Settings come from the environment: junk is refused with a hint, what is unsafe by `check --deploy`."""

import os
import re
import subprocess
import sys

import pytest

from engagement.local.state import PROJECT
from tests.live import ASYNC_UNSAFE

SAFE = {
    "DJANGO_SECRET_KEY": "k" * 60,
    "ADDRESS_HASH_KEY": "a" * 60,
    "ALLOWED_HOSTS": "events.example",
    "PUBLIC_URL": "https://events.example",
    "EMAIL_URL": "smtp+tls://user:password@mail.example:587",
    "SECURE_SSL_REDIRECT": "1",
    "SECURE_HSTS_SECONDS": "3600",
    "ENGAGEMENT_LOCAL": "0",
}


def manage(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env={name: value for name, value in os.environ.items() if name != ASYNC_UNSAFE} | settings,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "junk", "hint"),
    [
        ("RETENTION_DAYS", "forever", "a whole number"),
        ("RETENTION_DAYS", "1", "a whole number"),
        ("PORT", "http", "a whole number"),
        ("DEBUG", "maybe", "yes or no"),
        ("TIME_ZONE", "Berlin", "Europe/Berlin"),
        ("DATABASE_URL", "mysql://user:secret@host/name", "PostgreSQL"),
        ("DATABASE_URL", "nonsense", "PostgreSQL"),
        ("CACHE_URL", "memcached://x", "Redis or Valkey"),
        ("CELERY_BROKER_URL", "kafka://x", "Redis or RabbitMQ"),
        ("TEST_RECIPIENTS", "a@shop.example; b@shop.example", "between commas"),
    ],
)
def test_junk_is_refused_with_a_hint(name: str, junk: str, hint: str) -> None:
    done = manage("check", **{name: junk})

    assert done.returncode != 0
    assert name in done.stderr
    assert hint in done.stderr
    assert "secret" not in done.stderr.rpartition("ImproperlyConfigured")[2]


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("ENGAGEMENT_LOCAL", "1", "engagement.E001"),
        ("DJANGO_SECRET_KEY", "short", "engagement.E002"),
        ("ADDRESS_HASH_KEY", "k" * 60, "engagement.E010"),
        ("ALLOWED_HOSTS", "*", "engagement.E003"),
        ("PUBLIC_URL", "http://events.example", "engagement.E004"),
        ("CELERY_BROKER_URL", "memory://", "engagement.E005"),
    ],
)
def test_what_is_unsafe_is_refused_for_production(name: str, value: str, code: str) -> None:
    done = manage("check", "--deploy", **(SAFE | {name: value}))

    assert done.returncode != 0
    assert code in done.stderr


def test_safe_settings_pass() -> None:
    done = manage("check", "--deploy", **SAFE)

    assert done.returncode == 0, done.stderr


def test_every_setting_that_the_environment_may_say_is_told_in_the_readme() -> None:
    settings, readme = ((PROJECT / path).read_text() for path in ("engagement/settings.py", "README.md"))
    names = set(re.findall(r'env\.read_\w+\(\s*"(\w+)"', settings)) | {"STATE_DIR"}
    assert len(names) > 20
    assert {name for name in names if f"`{name}`" not in readme} == set()
