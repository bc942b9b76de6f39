"""A mail's HTML made ready for the inbox's frame, and the policy that holds it there. Pure."""

import re
from base64 import b64encode
from typing import Any

from csp.constants import NONE, SELF, UNSAFE_INLINE

from engagement.demo.maildir import Mail

MAIL_POLICY: dict[str, Any] = {
    "default-src": [NONE],
    "style-src": [UNSAFE_INLINE],
    "img-src": ["data:"],
    "base-uri": [NONE],
    "form-action": [NONE],
    "frame-ancestors": [SELF],
    "sandbox": ["allow-popups", "allow-popups-to-escape-sandbox"],
}
"""No scripts, no requests, no forms; a link opens a page of its own. It holds too where the frame is opened alone."""

_HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)
_LINKS = '<base target="_blank">'


def prepare_html(mail: Mail) -> str:
    """Return the HTML with its attached images in place, and links that leave the frame."""
    html = mail.html
    for content_id, kind, payload in mail.images:
        html = html.replace(f"cid:{content_id}", f"data:{kind};base64,{b64encode(payload).decode()}")
    head = _HEAD.search(html)
    return _LINKS + html if head is None else html[: head.end()] + _LINKS + html[head.end() :]
