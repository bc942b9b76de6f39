"""Addresses of those who send: which of them is the visitor's, and how much of it is kept. Pure."""

import ipaddress
import re
from enum import StrEnum
from functools import lru_cache

from engagement.lib.addresses import MAX_ADDRESS, parse_address

_BITS = {4: 24, 6: 48}
# Within a text that holds JSON too.
_FIELDS = re.compile(rb'("\$?(?:ip|ip_address|ip_override|ipAddress)\\*"\s*:\s*\\*")[^"\\]*')


class AddressPolicy(StrEnum):
    """How much of an address is kept."""

    KEEP = "keep"
    TRUNCATE = "truncate"
    DROP = "drop"


def find_visitor(peer: str, forwarded_for: str, proxies: int) -> str:
    """Return the address of who sent a request.

    `peer` is at the other end of the connection. Each proxy adds to `forwarded_for` whom it saw: `proxies` of these
    are our own and believed, counted from the right; what stands further left anybody may have written.
    """
    if not proxies or not forwarded_for:
        return peer
    seen = [part.strip() for part in forwarded_for.split(",")][-proxies:]
    found = _strip_port(seen[0])
    return found if 0 < len(found) <= MAX_ADDRESS else peer


def _strip_port(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def reduce_address(address: str, policy: AddressPolicy) -> str | None:
    """Return what is kept of an address: all, its network (IPv4 /24, IPv6 /48) or nothing.

    What is no address is kept only where all is.
    """
    if policy == AddressPolicy.KEEP:
        return address or None
    # A client may call anything an address, of any length: what is none must not be remembered.
    if policy == AddressPolicy.DROP or len(address) > MAX_ADDRESS:
        return None
    return _find_network(address)


@lru_cache(maxsize=4096)
def _find_network(address: str) -> str | None:
    known = parse_address(address)
    if known is None:
        return None
    network = ipaddress.ip_network((known, _BITS[known.version]), strict=False)
    return str(network.network_address)


def blank_addresses(payload: bytes, address: str | None) -> bytes:
    """Return a payload that could not be understood without the addresses in it: the fields that clients put them in,
    and the one that sent it."""
    blanked = _FIELDS.sub(rb"\1", payload)
    return blanked.replace(address.encode(), b"") if address else blanked
