"""Who tries to sign in, for the limit on wrong passwords."""

from django.conf import settings
from django.http import HttpRequest

from engagement.lib.addresses import parse_address
from tracking.addresses import find_visitor


def find_address(request: HttpRequest) -> str | None:
    """Return the visitor's address, as ingest finds it; None where none can be read, as at a Unix socket."""
    peer, forwarded_for = request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
    address = parse_address(find_visitor(peer, forwarded_for, settings.TRUSTED_PROXIES)) or parse_address(peer)
    return str(address) if address is not None else None
