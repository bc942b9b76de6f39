"""Who looks at the demo: the address they gave, in a signed cookie, and the anonymous id of the door's cookie."""

from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest, HttpResponse

from tracking.visitor import COOKIE as ANONYMOUS_COOKIE

ADDRESS_COOKIE = "demo_visitor"
_SALT = "engagement.demo.visitor"
_SECONDS = 30 * 86_400
_MAX_LENGTH = 200


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """A visitor of the shop. `address`, in lower case, is also their user id; None until they sign in."""

    address: str | None
    anonymous_id: str | None


def read_visitor(request: HttpRequest) -> Visitor:
    """Return who asks. Only our own signature makes an address count, never a parameter."""
    address = request.get_signed_cookie(ADDRESS_COOKIE, default=None, salt=_SALT, max_age=_SECONDS)
    return Visitor(address=address, anonymous_id=request.COOKIES.get(ANONYMOUS_COOKIE))


def parse_address(raw: str) -> str | None:
    """Return an address as the shop uses it, or None when it cannot be one."""
    address = raw.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        return None
    return address if len(address) <= _MAX_LENGTH else None


def remember_address(response: HttpResponse, address: str) -> None:
    """Sign the visitor in."""
    response.set_signed_cookie(
        ADDRESS_COOKIE,
        address,
        salt=_SALT,
        max_age=_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )


def forget_visitor(response: HttpResponse) -> None:
    """Sign the visitor out. Whoever comes next on this device is somebody new, with an anonymous id of their own."""
    response.delete_cookie(ADDRESS_COOKIE, samesite="Lax")
    response.delete_cookie(ANONYMOUS_COOKIE, samesite="Lax")
