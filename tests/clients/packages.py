"""The JavaScript packages that the tests use, installed once from the lock file beside this one."""

import fcntl
import os
import subprocess
import sysconfig
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent
_LOCK = FOLDER / "package-lock.json"
_STAMP = FOLDER / "node_modules" / ".installed"
_SCRIPTS = Path(sysconfig.get_path("scripts"))
NODE = _SCRIPTS / "node"


def install_packages() -> Path:
    """Return the folder `node_modules`, filled if it is not yet. Node and npm come from a Python package."""
    wanted = sha256(_LOCK.read_bytes()).hexdigest()
    with (FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _STAMP.exists() or _STAMP.read_text() != wanted:
            command = [str(_SCRIPTS / "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
            subprocess.run(command, cwd=FOLDER, check=True, env=make_environment(), timeout=900)
            _STAMP.write_text(wanted)
    return FOLDER / "node_modules"


def make_environment() -> dict[str, str]:
    """Return the environment in which the package's own node is found first."""
    return os.environ | {"PATH": f"{_SCRIPTS}{os.pathsep}{os.environ.get('PATH', '')}"}


def run_node(script: str, *arguments: str, timeout: float = 120) -> str:
    """Run a program that may require the packages; return what it printed."""
    install_packages()
    done = subprocess.run(
        [str(NODE), "-e", script, *arguments],
        cwd=FOLDER,
        env=make_environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
