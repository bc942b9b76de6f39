"""Reading back needs a source's secret key."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed, NotAuthenticated, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from tracking.admission import admit_signature
from tracking.caller import SCOPE_MISSING, describe_missing, verify_signature
from tracking.key_use import note_use
from tracking.models import Scope
from tracking.registry import KnownKey, KnownSource, get_registry
from tracking.signature import Signed
from tracking.wire.request import WireError


class SecretKey(BaseAuthentication):
    """`Authorization: Bearer sk_…`; `request.auth` is what is known of the key."""

    def authenticate(self, request: Request) -> tuple[None, KnownKey] | None:
        """Return the key."""
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            return None
        known = get_registry().find_secret(key.strip())
        if known is None:
            raise AuthenticationFailed("No source has this secret key, or it holds no longer.", code="unknown_key")
        now = datetime.now(UTC)
        _check_signature(request, known.source, now)
        note_use(known.id, now)
        return None, known

    def authenticate_header(self, request: Request) -> str:
        """Say how to authenticate: makes the answer a 401."""
        return "Bearer"


class Replayed(APIException):
    """The very same signed request came before."""

    status_code = 409


def _check_signature(request: Request, source: KnownSource, now: datetime) -> None:
    """As at the door: a signed request is taken once, and an unsigned one only where the source allows it."""
    meta = request.META
    query = meta.get("QUERY_STRING", "")
    signed = Signed(
        signature=meta.get("HTTP_X_SIGNATURE", ""),
        timestamp=meta.get("HTTP_X_SIGNATURE_TIMESTAMP", ""),
        method=request.method or "",
        target=request.path.rstrip("/") + (f"?{query}" if query else ""),
        body=request._request.body,
    )
    try:
        admit_signature(source, verify_signature(source, signed, now))
    except WireError as error:
        refusal = Replayed if error.status == 409 else AuthenticationFailed
        raise refusal(error.message, code=error.code) from None


class ScopedView(APIView):
    """A view that says what a key must be allowed to do; None where no key of ours is asked for."""

    scope: Scope | None = None
    scopes: Mapping[str, Scope] = {}
    """Methods that need another scope."""

    def find_scope(self, method: str | None) -> Scope | None:
        """Return what a key must be allowed to do."""
        return self.scopes.get(method or "", self.scope) if self.scope is not None else None


class ScopedSchema(AutoSchema):
    """The API's description, in which each call names its scope."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """Add the scope, as `x-scope` and in words."""
        operation = super().get_operation(*args, **kwargs)
        scope = self.view.find_scope(self.method) if isinstance(self.view, ScopedView) else None
        if operation is None or scope is None:
            return operation
        words = f"A secret key needs the scope `{scope.value}`."
        return operation | {
            "description": f"{operation.get('description', '')}\n\n{words}".strip(),
            "x-scope": scope.value,
        }


class HasScope(BasePermission):
    """Refuses who gave no key, or one that may not do what is asked."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether a secret key was given that has the view's scope."""
        if request.auth is None:
            raise NotAuthenticated("Give the source's secret key in `Authorization: Bearer`.", code="key_required")
        scope = view.find_scope(request.method)
        key: Any = request.auth
        if scope is not None and scope not in key.scopes:
            raise PermissionDenied(describe_missing(scope), code=SCOPE_MISSING)
        return True


class SecretKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the API's description speaks of it."""

    target_class = SecretKey
    name = "secretKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the OpenAPI security scheme."""
        return {"type": "http", "scheme": "bearer", "description": "A source's secret key, `sk_…`."}
