"""A durable database of its own for the figures, and the rows of the table."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import msgspec

from engagement.lib.interpreter import tune_interpreter
from engagement.local.postgres import Postgres
from engagement.local.valkey import Valkey


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One row: what was done, how fast, the same work done bare, and the target in words."""

    work: str
    measured: str
    bare: str = ""
    ratio: str = ""
    target: str = ""


@contextmanager
def open_stage() -> Iterator[None]:
    """Start PostgreSQL (fsync and synchronous_commit on) and Valkey, and make the tables."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    folder.chmod(0o755)
    postgres = Postgres(folder / "postgres", log=folder / "postgres.log")
    valkey = Valkey(folder / "valkey", log=folder / "valkey.log", persist=False)
    postgres.start()
    valkey.start()
    os.environ |= {
        "STATE_DIR": str(folder),
        "DATABASE_URL": postgres.url,
        "CACHE_URL": valkey.cache_url(),
        "CELERY_BROKER_URL": valkey.broker_url(),
        "DJANGO_SECRET_KEY": "only-for-benchmarks-" + "x" * 40,
        "DJANGO_SETTINGS_MODULE": "engagement.settings",
        "LOG_LEVEL": "ERROR",
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    tune_interpreter()
    try:
        yield
    finally:
        valkey.stop()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def time_best(work: Callable[[], int], rounds: int = 3) -> float:
    """Run work a few times and return the median of things a second; `work` returns how many things it did."""
    rates = []
    for _ in range(rounds):
        start = time.perf_counter()
        done = work()
        rates.append(done / (time.perf_counter() - start))
    return median(rates)


def show_table(figures: list[Figure]) -> str:
    """Return the figures as a Markdown table."""
    lines = ["| work | measured | the same work bare | ratio | target |", "|---|---|---|---|---|"]
    lines += [f"| {row.work} | {row.measured} | {row.bare} | {row.ratio} | {row.target} |" for row in figures]
    return "\n".join(lines)
