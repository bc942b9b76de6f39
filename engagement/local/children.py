"""Starting processes that cannot outlive us."""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Ask the kernel (Linux) for a signal when the parent ends, however it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def start_child(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    last_signal: int = signal.SIGKILL,
    **options: Any,
) -> subprocess.Popen[bytes]:
    """Start a process that writes to `log`, in a session of its own: a terminal's Ctrl-C reaches only us."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(last_signal),
            **options,
        )


def stop_child(process: subprocess.Popen[bytes], number: int = signal.SIGTERM, patience: float = 10.0) -> None:
    """Ask a process to end, and make it."""
    if process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


def find_account() -> dict[str, Any]:
    """Return Popen's arguments that drop root for an ordinary account; nothing where we are not root.

    Raises RuntimeError when there is no such account.
    """
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise RuntimeError("PostgreSQL does not run as root, and there is no account `postgres` or `nobody` to run it as.")
