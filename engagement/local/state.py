"""The folder that holds all that a local installation keeps, and who uses it now."""

import fcntl
import hashlib
import json
import os
import secrets
import tempfile
from pathlib import Path
from typing import IO

from django.core.exceptions import ImproperlyConfigured

PROJECT = Path(__file__).resolve().parent.parent.parent
SERVICES = "services.json"
_LOCK = "lock"


class StateBusy(Exception):
    """Another process runs on this folder."""


class StateReadOnly(ImproperlyConfigured):
    """Nothing can be written to the folder; the message is for a person."""

    def __init__(self, place: Path, error: OSError) -> None:
        super().__init__(
            f"{place} cannot be written to: {error.strerror}. Choose another STATE_DIR, or give the folder to the "
            "account that runs the platform."
        )


def find_state_dir() -> Path:
    """Return STATE_DIR, else `.state` in the project.

    PostgreSQL runs as an ordinary user where we are root. Where that user cannot pass a parent of the project (a home
    of mode 0700), the state lies in the system's folder for temporary files that survive a restart.
    """
    given = os.environ.get("STATE_DIR")
    if given:
        return Path(given).expanduser().resolve()
    place = PROJECT / ".state"
    if is_passable(place):
        return place
    digest = hashlib.sha256(str(place).encode()).hexdigest()[:12]
    return Path("/var/tmp") / f"engagement-{digest}"


def is_passable(place: Path) -> bool:
    """Whether the account that PostgreSQL runs as can reach a folder."""
    parents = [parent for parent in place.parents if parent.exists()]
    return os.geteuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in parents)


def make_state_dir(state: Path) -> None:
    """Make the folder; raises StateBusy when it holds something of somebody else's, StateReadOnly."""
    known = state / _LOCK
    try:
        _make(state, known)
    except OSError as error:
        raise StateReadOnly(state, error) from error


def _make(state: Path, known: Path) -> None:
    if state.exists() and any(state.iterdir()) and not known.exists():
        raise StateBusy(f"{state} is not empty and was not made by this program. Choose another STATE_DIR.")
    state.mkdir(parents=True, exist_ok=True)
    # Others only pass through, and that only where PostgreSQL runs as another account than root.
    state.chmod(0o711 if os.geteuid() == 0 else 0o700)
    # A Maildir makes its parts only where it makes the folder itself.
    for name in ("logs", "inbox", "inbox/cur", "inbox/new", "inbox/tmp"):
        (state / name).mkdir(exist_ok=True)
        (state / name).chmod(0o700)
    known.open("a").close()


def lock_state(state: Path) -> IO[str]:
    """Take the folder for this process, as long as the returned file is open; raises StateBusy."""
    handle = (state / _LOCK).open("a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise StateBusy(f"The platform already runs on {state}. Stop it first, or set another STATE_DIR.") from None
    return handle


def is_running(state: Path) -> bool:
    """Whether a supervisor holds the folder."""
    try:
        with (state / _LOCK).open("r+") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def load_services() -> dict[str, str]:
    """Return the environment of the services that run on the state folder; empty when none do."""
    state = find_state_dir()
    path = state / SERVICES
    if not is_running(state):
        return {}
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}


def save_services(state: Path, environment: dict[str, str]) -> None:
    """Write down where the services are, for `manage.py` commands."""
    write_private(state / SERVICES, json.dumps(environment, indent=2))


def keep_secret(path: Path, length: int) -> str:
    """Return the secret in a file of mode 0600, drawn at the first call."""
    try:
        known = path.read_text().strip()
    except FileNotFoundError:
        known = ""
    if known:
        return known
    secret = secrets.token_urlsafe(length)
    write_private(path, secret + "\n")
    return secret


def write_private(path: Path, text: str) -> None:
    """Replace a file by one of mode 0600, whole or not at all."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent)
    except OSError as error:
        raise StateReadOnly(path.parent, error) from error
    with os.fdopen(handle, "w") as file:
        file.write(text)
    os.replace(name, path)
