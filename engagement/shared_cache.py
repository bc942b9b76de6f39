"""The cache: Redis or Valkey, shared by all processes. While it is away each process remembers by itself.

What it holds are hints: flags that a message is on its way, heartbeats, figures of the dashboard. None of them is worth
an exception, and none is worth waiting for: the link asks nobody for a second after a failure.
"""

from collections.abc import Callable
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Disconnected
from redis.retry import Retry

from tracking.valkey import ValkeyLink

_TIMEOUT_SECONDS = 1.0
_ANSWERS = ("add", "get", "set", "touch", "delete", "get_many", "set_many", "delete_many", "has_key", "incr")

_links: dict[str, ValkeyLink] = {}


class SharedCache(RedisCache):
    """Django's cache in Redis, which never raises because its server is away."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        # A connection that the server had closed is opened again once; without this, redis-py tries for seconds.
        options = {
            "socket_timeout": _TIMEOUT_SECONDS,
            "socket_connect_timeout": _TIMEOUT_SECONDS,
            "retry": Retry(NoBackoff(), 1, supported_errors=(Disconnected,)),
        }
        super().__init__(server, params | {"OPTIONS": options | params.get("OPTIONS", {})})
        self._own = LocMemCache(f"without {server}", {})
        self._link = _links.setdefault(server, ValkeyLink(server, _TIMEOUT_SECONDS))

    def answer(self, name: str, *args: Any, **options: Any) -> Any:
        """Ask the server, or this process's own memory while there is none."""
        shared = self._link.ask(lambda: (getattr(RedisCache, name)(self, *args, **options),))
        return getattr(self._own, name)(*args, **options) if shared is None else shared[0]


def _make_method(name: str) -> Callable[..., Any]:
    def method(self: SharedCache, *args: Any, **options: Any) -> Any:
        return self.answer(name, *args, **options)

    method.__name__ = name
    return method


for _name in _ANSWERS:
    setattr(SharedCache, _name, _make_method(_name))
