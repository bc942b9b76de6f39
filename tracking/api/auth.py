"""Reading back needs a source's secret key."""

from datetime import UTC, datetime
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tracking.key_use import note_use
from tracking.registry import KnownSource, get_registry


class SecretKey(BaseAuthentication):
    """`Authorization: Bearer sk_…`; `request.auth` is the source."""

    def authenticate(self, request: Request) -> tuple[None, KnownSource] | None:
        """Return the source of the key."""
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            return None
        known = get_registry().find_secret(key.strip())
        if known is None:
            raise AuthenticationFailed("No source has this secret key, or it holds no longer.", code="unknown_key")
        note_use(known.id, datetime.now(UTC))
        return None, known.source

    def authenticate_header(self, request: Request) -> str:
        """Say how to authenticate: makes the answer a 401."""
        return "Bearer"


class HasSource(BasePermission):
    """Refuses who gave no key."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether a secret key was given."""
        if request.auth is None:
            raise NotAuthenticated("Give the source's secret key in `Authorization: Bearer`.", code="key_required")
        return True


class SecretKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the API's description speaks of it."""

    target_class = SecretKey
    name = "secretKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the OpenAPI security scheme."""
        return {"type": "http", "scheme": "bearer", "description": "A source's secret key, `sk_…`."}
