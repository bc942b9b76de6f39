"""The web server: `python -m engagement.web` is granian with the settings that the platform needs.

All of granian's options may follow, and its environment variables hold where they are set.
"""

import os
import sys

from granian.cli import entrypoint

SETTINGS = {
    "GRANIAN_INTERFACE": "asgi",
    # One protocol: with the choice of two, granian waits without end for the first byte that tells them apart.
    "GRANIAN_HTTP": "1",
    "GRANIAN_WEBSOCKETS": "false",
    # Connections of a worker; further ones wait to be accepted.
    "GRANIAN_BACKPRESSURE": "4096",
    "GRANIAN_BACKLOG": "4096",
    # A worker that dies is started again; by default it takes all others with it.
    "GRANIAN_RESPAWN_FAILED_WORKERS": "true",
    "GRANIAN_RESPAWN_INTERVAL": "0.1",
    # Clients that still read an answer when the server stops have so many seconds.
    "GRANIAN_WORKERS_KILL_TIMEOUT": "30",
    # The threads of a process share connections.
    "DATABASE_POOL": "1",
}


def main() -> None:
    """Serve until a signal comes."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    sys.argv.insert(1, "engagement.asgi:application")
    entrypoint()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
