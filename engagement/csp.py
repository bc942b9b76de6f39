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
_ADMIN = {"script-src": [SELF, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]}


class PolicyMiddleware(CSPMiddleware):
    """Alpine, which the admin is built with, evaluates expressions and sets styles: allowed there only."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Add the policy to an answer."""
        if request.path.startswith("/admin/") and not hasattr(response, "_csp_replace"):
            response._csp_update = _ADMIN  # type: ignore[attr-defined]
        answer: HttpResponseBase = super().process_response(request, response)
        return answer
