"""The link to Valkey of what may not wait for it: short time-outs, and nobody asks while it is away."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

TIMEOUT_SECONDS = 0.1
PAUSE_SECONDS = 1.0
"""After a failure nobody asks for this long, then one thread tries: a server that hangs costs no request more."""

Answer = TypeVar("Answer")

log = structlog.get_logger()


class ValkeyLink:
    """Valkey at `url`. Without one, or while it is away, `ask` returns None at once."""

    def __init__(self, url: str | None, timeout: float = TIMEOUT_SECONDS) -> None:
        self._trial = threading.Lock()
        self._away_since: float | None = None if url else float("inf")
        self.client = redis.Redis.from_url(
            url or "unix:///nowhere",
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )

    def ask(self, question: Callable[[], Answer]) -> Answer | None:
        """Return the answer to a question that uses `client`, None while there is nobody to ask."""
        if self._away_since is None:
            return self._try(question)
        if time.monotonic() - self._away_since < PAUSE_SECONDS or not self._trial.acquire(blocking=False):
            return None
        try:
            return self._try(question)
        finally:
            self._trial.release()

    def _try(self, question: Callable[[], Answer]) -> Answer | None:
        try:
            answer = question()
        except (redis.RedisError, OSError) as error:
            if self._away_since is None:
                log.warning(
                    "valkey_away",
                    error=str(error),
                    says="until it is back, each process limits and remembers by itself",
                )
            self._away_since = time.monotonic()
            return None
        if self._away_since is not None:
            log.info("valkey_back")
        self._away_since = None
        return answer


_lock = threading.Lock()
_link: ValkeyLink | None = None


def get_link() -> ValkeyLink:
    """Return the link of this process, to the server of its cache."""
    global _link
    with _lock:
        if _link is None:
            url = settings.CACHES["default"].get("LOCATION")
            _link = ValkeyLink(str(url) if url else None, TIMEOUT_SECONDS)
        return _link


def forget_link() -> None:
    """Begin anew: for tests, and where Valkey is another one."""
    global _link
    _link = None
