"""Basic authentication (RFC 7617): where many clients put their key. Pure."""

import base64

from tracking.wire.request import WireError, WireRequest


def has_basic(request: WireRequest) -> bool:
    """Whether a request authenticates so."""
    return request.headers.get("authorization", "")[:6].lower() == "basic "


def read_basic(request: WireRequest) -> tuple[str, str]:
    """Return user name and password, both empty without Basic authentication; raises WireError for a damaged one."""
    if not has_basic(request):
        return "", ""
    try:
        given = base64.b64decode(request.headers["authorization"][6:], validate=True).decode()
    except ValueError:
        # Base64 or UTF-8 that is none; headers may hold letters beyond ASCII as well.
        raise WireError(401, "unknown_key", "The Basic authentication is damaged.", "Authorization") from None
    user, _, password = given.partition(":")
    return user, password
