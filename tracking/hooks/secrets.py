"""A hook's secrets: made, checked, replaced with an overlap."""

import base64
import re
import secrets
from datetime import datetime, timedelta

from engagement.lib.seal import seal
from tracking.hooks.known import forget_hooks
from tracking.models import Hook
from tracking.wire.hooks.signatures import Style

OVERLAP = timedelta(days=7)
"""How long the former secret stays valid, unless somebody ends it before."""

_IN_ADDRESS = re.compile(r"[A-Za-z0-9._~-]+")
_LEAST = 8
_MOST = 500


def make_secret(style: Style) -> str:
    """Draw a secret with 256 random bits, as the style writes it."""
    if style.makes_secret:
        return style.makes_secret + base64.b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_urlsafe(32)


def find_fault(secret: str, style: Style) -> str:
    """Return what is wrong with a secret that somebody entered, "" for nothing."""
    if not _LEAST <= len(secret) <= _MOST:
        return f"A secret has {_LEAST} to {_MOST} characters."
    if not (secret.isascii() and secret.isprintable()):
        return "A secret has none but plain letters, digits and signs."
    if style.query and not _IN_ADDRESS.fullmatch(secret):
        return "A secret that stands in an address has letters, digits and . _ ~ - only."
    try:
        style.make_key(secret)
    except ValueError:
        return "This is no secret of this style: it is base64, usually after whsec_."
    return ""


def replace_secret(hook: Hook, secret: str, now: datetime) -> None:
    """Make a secret the valid one; the one before it stays valid beside it for a while."""
    hook.previous_secret, hook.previous_until = hook.secret, now + OVERLAP
    hook.secret = seal(secret)
    hook.save(update_fields=["secret", "previous_secret", "previous_until"])
    forget_hooks()


def end_former_secret(hook: Hook) -> None:
    """Refuse the former secret from now on."""
    hook.previous_secret, hook.previous_until = "", None
    hook.save(update_fields=["previous_secret", "previous_until"])
    forget_hooks()
