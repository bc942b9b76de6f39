"""RabbitMQ of Debian's package as a child of the tests, in a folder and on ports of its own: no service manager."""

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from engagement.local.children import start_child, stop_child
from engagement.local.supervisor import find_free_port
from tests.live import wait_for

_PLACES = "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"


def require_rabbitmq() -> Path:
    """Return the path of the server; skip the test where the package is not installed, but never in CI."""
    found = sorted(Path("/").glob(_PLACES.lstrip("/")))
    if not found:
        assert not os.environ.get("CI"), "rabbitmq-server is not installed"
        pytest.skip("RabbitMQ is not installed: apt-get install rabbitmq-server")
    # The program in /usr/sbin runs only as root or as the account `rabbitmq`; this one as anybody.
    return found[-1]


class RabbitMQ:
    """A broker that may be stopped and started again on the same data and port."""

    def __init__(self) -> None:
        self.program = require_rabbitmq()
        self.folder = Path(tempfile.mkdtemp(prefix="rabbitmq-"))
        self.port, self._epmd_port, self._distribution_port = (find_free_port() for _ in range(3))
        self.process: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address as Celery spells it."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        """Start the broker and wait until it listens."""
        place = self.folder
        (place / "enabled_plugins").write_text("[].\n")
        (place / "rabbitmq.conf").write_text(f"listeners.tcp.default = 127.0.0.1:{self.port}\n")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RABBITMQ_")} | {
            "HOME": str(place),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"tests-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": str(place / "data"),
            "RABBITMQ_LOG_BASE": str(place / "logs"),
            "RABBITMQ_CONFIG_FILE": str(place / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(place / "none"),
            # Otherwise its script stays beside it, and it would outlive us.
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(place / "enabled_plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput -kernel inet_dist_use_interface {127,0,0,1}",
        }
        if self._epmd is None:
            # Started by the broker it would outlive it.
            self._epmd = start_child(["epmd"], log=place / "epmd.log", environment=environment)
        self.process = start_child([str(self.program)], log=place / "server.log", environment=environment)
        wait_for(self._listens, patience=90)

    def kill(self) -> None:
        """End the broker at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(20)
        self.process = None

    def stop(self) -> None:
        """End everything and delete the folder."""
        self.kill()
        if self._epmd is not None:
            stop_child(self._epmd)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "server.log").read_text()[-2000:]
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0
