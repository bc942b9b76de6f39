"""The one outbound client: whatever leaves for somebody else's server over HTTP leaves through `post`.

An address comes from a form, so it is trusted with nothing. Its name is resolved here and the connection is made to the
very address that was checked: a name that answers otherwise a moment later leads nowhere else. Only public addresses
are connected to, unless OUTBOUND_ALLOWED_NETWORKS has them; plain http only to those that it has. No redirect is
followed, no proxy or cookie is used, no more than 64 KB of an answer is read, and a whole call has one deadline.

Built on httpcore, httpx's own transport: the place where a name becomes a connection is public there and private in
httpx, whose redirects, proxies and cookies would all have to be switched off.
"""

import os
import re
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Network
from typing import Any
from urllib.parse import urlsplit

import httpcore
import msgspec
from django.conf import settings

from engagement.lib.addresses import Address, parse_address

PATIENCE = 15.0
MOST_READ = 65_536
_CONNECT_SECONDS = 5.0
_KEEP_ALIVE_SECONDS = 15.0
_NUMBER = re.compile(r"^\[Errno -?\d+\] ")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_SIX_TO_FOUR = IPv6Network("2002::/16")


class Unreachable(Exception):
    """There was no answer; the message says why, in words for a person. What was sent may have arrived."""


class AddressRefused(Unreachable):
    """The address is none that this platform connects to. Nothing was sent."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the other side said. Names of headers are in lower case; `body` is cut at 64 KB."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text, for people."""
        return self.body.decode("utf-8", "replace")


class _Call(msgspec.Struct, frozen=True, kw_only=True):
    """What the connection must know of the call that it is made for."""

    deadline: float
    is_plain: bool

    def limit(self, timeout: float | None) -> float:
        """Return the seconds that a step may take: never beyond the deadline."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the deadline has passed")
        return left if timeout is None else min(timeout, left)


_call: ContextVar[_Call] = ContextVar("outbound_call")


def post(url: str, *, content: bytes, headers: Mapping[str, str], patience: float = PATIENCE) -> Answer:
    """Send a body and return the answer, whatever its status. Raises Unreachable; takes at most about `patience`."""
    problem = find_problem(url)
    if problem:
        raise AddressRefused(problem)
    call = _Call(deadline=time.monotonic() + patience, is_plain=url.lower().startswith("http:"))
    token = _call.set(call)
    try:
        return _exchange(url, content, headers)
    except (httpcore.TimeoutException, TimeoutError) as error:
        raise Unreachable(f"No answer within {patience:g} seconds.") from error
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        words = _NUMBER.sub("", str(error)) or type(error).__name__
        raise Unreachable(f"No connection: {words}") from error
    finally:
        _call.reset(token)


def find_problem(url: str) -> str:
    """Return what is wrong with an address as it is written, in words; "" for nothing."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "This is not an address."
    if not url.isascii() or any(character.isspace() or not character.isprintable() for character in url):
        return "Write the address in plain letters, without spaces: such as https://example.com/hook"
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
        return "An address begins with https:// and a host, such as https://example.com/hook"
    if parts.username is not None or parts.password is not None:
        return "An address must hold no user name or password."
    return "An address must hold no #." if parts.fragment else ""


def is_permitted(address: Address) -> bool:
    """Whether OUTBOUND_ALLOWED_NETWORKS has an address."""
    return any(address in network for network in settings.OUTBOUND_ALLOWED_NETWORKS)


def is_public(address: Address) -> bool:
    """Whether an address belongs to the open internet and to no network of ours.

    Of IPv6 only global unicast: everywhere else, and in 6to4, an IPv4 address may be hidden.
    """
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast
    return address.is_global and address in _GLOBAL_UNICAST and address not in _SIX_TO_FOUR


def _exchange(url: str, content: bytes, headers: Mapping[str, str]) -> Answer:
    sent = [("Accept-Encoding", "identity"), ("User-Agent", "Engagement"), *headers.items()]
    timeouts = {"connect": _CONNECT_SECONDS, "read": None, "write": None, "pool": _CONNECT_SECONDS}
    with _open_pool(os.getpid()).stream(
        "POST", url, headers=sent, content=content, extensions={"timeout": timeouts}
    ) as response:
        body = b""
        for chunk in response.iter_stream():
            body += chunk
            if len(body) >= MOST_READ:
                break
    told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    return Answer(status=response.status, headers=told, body=body[:MOST_READ])


@lru_cache(maxsize=1)
def _open_pool(process: int) -> httpcore.ConnectionPool:
    """Connections are kept for a process: none is used on both sides of a fork."""
    return httpcore.ConnectionPool(
        max_connections=64,
        max_keepalive_connections=16,
        keepalive_expiry=_KEEP_ALIVE_SECONDS,
        network_backend=_GuardedBackend(),
    )


class _GuardedBackend(httpcore.NetworkBackend):
    """Makes connections to addresses that were checked, and to those only."""

    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Resolve a name, and connect to the first of its addresses that is allowed and answers."""
        call = _call.get()
        failed: Exception = AddressRefused(f"{host} leads into a private network.")
        for address in _choose(host, port, call):
            try:
                stream = self._inner.connect_tcp(str(address), port, call.limit(timeout), local_address, socket_options)
                return _BoundedStream(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        """No address is a socket of this machine."""
        raise AddressRefused("This is not an address.")


def _choose(host: str, port: int, call: _Call) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore.ConnectError(f"the name {host} is not known ({error.strerror})") from error
    read = (parse_address(str(entry[4][0])) for entry in found)
    addresses = list(dict.fromkeys(address for address in read if address is not None))
    if call.is_plain:
        allowed = [address for address in addresses if is_permitted(address)]
        if not allowed and any(is_public(address) for address in addresses):
            raise AddressRefused("Plain http:// would show everybody on the way what is sent: use https://")
        return allowed
    return [address for address in addresses if is_public(address) or is_permitted(address)]


class _BoundedStream(httpcore.NetworkStream):
    """A connection each of whose steps ends by the deadline of the call that uses it just now."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what has arrived."""
        return self._inner.read(max_bytes, _call.get().limit(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all."""
        self._inner.write(buffer, _call.get().limit(timeout))

    def close(self) -> None:
        """Close."""
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Go on encrypted."""
        return _BoundedStream(self._inner.start_tls(ssl_context, server_hostname, _call.get().limit(timeout)))

    def get_extra_info(self, info: str) -> Any:
        """Tell what the pool asks, such as whether an idle connection was closed."""
        return self._inner.get_extra_info(info)
