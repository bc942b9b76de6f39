"""One child of `make run`: started, and started again when it ends."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from engagement.local.postgres import PostgresFailed
from engagement.local.screen import say
from engagement.local.valkey import ValkeyFailed

_PAUSES = (0.2, 1.0, 3.0, 10.0)
_STABLE_SECONDS = 60.0


@dataclass(kw_only=True)
class Program:
    """A child that is started again when it ends."""

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    falls: int = 0

    def run(self) -> None:
        """Start the child."""
        self.process = self.start()
        self.started_at = time.monotonic()

    def revive(self) -> None:
        """Start the child again if it ended, after a pause that grows while it keeps falling."""
        if self.process is not None and self.process.poll() is None:
            return
        if time.monotonic() - self.started_at > _STABLE_SECONDS:
            self.falls = 0
        pause = _PAUSES[min(self.falls, len(_PAUSES) - 1)]
        if time.monotonic() - self.started_at < pause:
            return
        code = self.process.returncode if self.process is not None else None
        say(f"{self.name} ended ({code}) and is started again")
        self.falls += 1
        try:
            self.run()
        except (OSError, PostgresFailed, ValkeyFailed) as error:
            say(f"{self.name} did not start: {error}")
            self.started_at = time.monotonic()
