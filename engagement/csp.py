"""The content security policy: everything from here, nothing inline; the admin's library needs a little more."""

from typing import Any

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware
from django.http import HttpRequest, HttpResponseBase

CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [SELF],
    }
}
_DOCS = {"style-src": [SELF, UNSAFE_INLINE]}
_ADMIN = {"script-src": [SELF, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]}


class PolicyMiddleware(CSPMiddleware):
    """Alpine, with which the admin is built, evaluates expressions and sets styles; Swagger sets styles: only there."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Add the policy to an answer."""
        extra = _find_extra(request.path)
        if extra is not None and not hasattr(response, "_csp_replace"):
            response._csp_update = extra  # type: ignore[attr-defined]
        answer: HttpResponseBase = super().process_response(request, response)
        return answer


def _find_extra(path: str) -> dict[str, Any] | None:
    if path.startswith("/admin/"):
        return _ADMIN
    return _DOCS if path.startswith("/api/docs/") else None
