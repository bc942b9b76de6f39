"""Starts a real PostgreSQL and Valkey for the tests, once, before Django reads its settings.

The controller of a parallel run starts them; its workers inherit the addresses and take a database of their own.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from engagement.local.postgres import Postgres
from engagement.local.valkey import Valkey

_services: list[Postgres | Valkey] = []
_folder: Path | None = None


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what was started here."""
    while _services:
        _services.pop().stop()
    if _folder is not None:
        shutil.rmtree(_folder, ignore_errors=True)


def _start() -> None:
    global _folder
    _folder = Path(tempfile.mkdtemp(prefix="engagement-test-"))
    _folder.chmod(0o755)
    (_folder / "static").mkdir()
    os.environ["STATE_DIR"] = str(_folder)
    os.environ.setdefault("DJANGO_SECRET_KEY", "only-for-tests-" + "x" * 40)
    os.environ.setdefault("EMAIL_URL", "smtp://127.0.0.1:1")
    if "DATABASE_URL" not in os.environ:
        postgres = Postgres(_folder / "postgres", log=_folder / "postgres.log", fast=True)
        postgres.start()
        _services.append(postgres)
        os.environ["DATABASE_URL"] = postgres.url
    valkey = Valkey(_folder / "valkey", log=_folder / "valkey.log", persist=False)
    valkey.start()
    _services.append(valkey)
    os.environ["TEST_VALKEY"] = str(valkey.socket)


def _choose_databases(number: int) -> None:
    """Each process of a parallel run has a broker and a cache of its own: Valkey has sixteen databases."""
    socket = os.environ["TEST_VALKEY"]
    os.environ["CELERY_BROKER_URL"] = f"redis+socket://{socket}?virtual_host={(2 * number) % 16}"
    os.environ["CACHE_URL"] = f"unix://{socket}?db={(2 * number + 1) % 16}"


# At import: pytest-django reads the settings before any hook of ours could run.
_worker = os.environ.get("PYTEST_XDIST_WORKER")
if _worker is None:
    _start()
_choose_databases(int(_worker.removeprefix("gw")) + 1 if _worker else 0)
