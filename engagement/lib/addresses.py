"""Internet addresses as machines write them."""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_ADDRESS = 64
"""Characters: the longest of IPv6 has 45, and the name of a zone behind it."""


def parse_address(address: str) -> Address | None:
    """Return an address without its zone, one of IPv4 that is written as one of IPv6 as such; None for none."""
    if len(address) > MAX_ADDRESS:
        return None
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = known.ipv4_mapped if isinstance(known, ipaddress.IPv6Address) else None
    return mapped or known
