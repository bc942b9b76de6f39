"""A connection to the test run's PostgreSQL, in a zone that is not UTC, so that nothing relies on it."""

import os
from collections.abc import Iterator

import psycopg
import pytest


@pytest.fixture(scope="module")
def connection() -> Iterator[psycopg.Connection]:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as opened:
        opened.execute("set timezone to 'America/New_York'")
        yield opened
