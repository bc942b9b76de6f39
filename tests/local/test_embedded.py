"""The embedded PostgreSQL and Valkey: nobody but who runs them gets in, and what an older version made stays in use."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
import pytest

from engagement.local.postgres import Postgres
from engagement.local.valkey import Valkey

OLD_OBJECTS = """
create table kept (id bigint generated always as identity primary key, day date);
create table parted (day date) partition by range (day);
create table parted_2026 partition of parted for values from ('2026-01-01') to ('2027-01-01');
create sequence counter;
create view seen as select * from kept;
create function answer() returns int language sql as 'select 42';
insert into kept (day) values ('2026-11-30')
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="embedded-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place, ignore_errors=True)


def make_long(folder: Path) -> Path:
    """A place in which no socket fits: a path of one may hold 107 bytes."""
    place = folder / ("x" * 100)
    place.mkdir(mode=0o755)
    return place


def connect_without_password(server: Postgres, role: str) -> str:
    """Try to connect to the server; return what it says."""
    with pytest.raises(psycopg.OperationalError) as refused:
        psycopg.connect(host=str(server.socket), user=role, dbname="postgres")
    return str(refused.value)


def test_a_database_lets_in_only_who_knows_its_password_and_its_role_rules_only_there(folder: Path) -> None:
    server = Postgres(make_long(folder) / "postgres", log=folder / "log")
    server.start()
    try:
        assert server.socket.stat().st_mode & 0o777 == 0o700
        assert (server.socket / ".s.PGSQL.5432").stat().st_mode & 0o777 == 0o700
        if os.geteuid() == 0:
            done = subprocess.run(["ls", str(server.socket)], user="nobody", capture_output=True, check=False)
            assert b"Permission denied" in done.stderr
        assert "no password supplied" in connect_without_password(server, "app")
        assert "no password supplied" in connect_without_password(server, "engagement")
        with psycopg.connect(server.url, autocommit=True) as connection:
            role = "select rolsuper, rolcreatedb, rolcreaterole from pg_roles where rolname = current_user"
            assert connection.execute(role).fetchone() == (False, False, False)
            connection.execute("create table ours ()")
    finally:
        server.stop()
    for name in ("postgres-password", "postgres-superuser-password"):
        assert (server.data.with_name(name)).stat().st_mode & 0o777 == 0o600


def test_an_older_installation_is_taken_over_with_all_that_it_holds(folder: Path) -> None:
    server = Postgres(folder / "postgres", log=folder / "log", fast=True)
    make_as_before(server)

    server.start()
    try:
        assert "no password supplied" in connect_without_password(server, "app")
        with psycopg.connect(server.url, autocommit=True) as connection:
            assert connection.execute("select id, day::text from seen").fetchall() == [(1, "2026-11-30")]
            connection.execute("alter table kept add column more int")
            part = "create table parted_2027 partition of parted for values from ('2027-01-01') to ('2028-01-01')"
            connection.execute(part)
            connection.execute("alter sequence counter restart with 7")
            connection.execute("create or replace function answer() returns int language sql as 'select 43'")
            connection.execute("drop view seen")
            connection.execute("insert into kept (day) values ('2026-12-01')")
    finally:
        server.stop()
    server.start()
    server.stop()


def make_as_before(server: Postgres) -> None:
    """Make a cluster as an older version did: one role that is everything, and a door without a lock."""
    server._make_cluster()
    place = ["-k", str(server.socket), "-c", "listen_addresses="]
    for statement in ("create database engagement", OLD_OBJECTS):
        database = "postgres" if statement.startswith("create database") else "engagement"
        command = [str(server.binaries / "postgres"), "--single", "-j", "-D", str(server.data), *place, database]
        done = subprocess.run(
            command, input=statement + ";\n\n", cwd="/", capture_output=True, text=True, check=True, **server.account
        )
        assert "ERROR" not in done.stderr, done.stderr


def test_valkey_can_be_reached_only_by_who_runs_it(folder: Path) -> None:
    for place in (folder, make_long(folder)):
        server = Valkey(place / "valkey", log=folder / "log", persist=False)
        server.start()
        try:
            path = Path(unquote(urlsplit(server.cache_url()).path))
            assert path.stat().st_mode & 0o777 == 0o700
            assert path.parent.stat().st_mode & 0o777 == 0o700
        finally:
            server.stop()
