"""Signed requests: who has a secret key shows also that the request is its own, whole and new. Pure."""

import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime

import msgspec

HEADER, TIMESTAMP_HEADER = "x-signature", "x-signature-timestamp"
WINDOW_SECONDS = 300
"""How far the sender's clock may be off, either way."""

_SCHEME = "v1="


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says of its signature, and what that is made over.

    `target` is the path, percent-decoded and without a slash at its end, and the query behind a question mark.
    """

    signature: str
    timestamp: str
    method: str
    target: str
    body: bytes


class SignatureProblem(msgspec.Struct, frozen=True):
    """Why a signature does not hold: a code, and a sentence for the client's developer."""

    code: str
    message: str


REQUIRED = SignatureProblem(
    "signature_required", "This source takes signed requests only: send X-Signature and X-Signature-Timestamp."
)
WRONG = SignatureProblem(
    "signature_wrong", "The signature is not that of this request, at this time, with one of the source's secrets."
)
EXPIRED = SignatureProblem(
    "signature_expired", f"The request was signed more than {WINDOW_SECONDS} s ago, or ahead: sign each attempt anew."
)


def compute_signature(secret: bytes, signed: Signed) -> str:
    """Return the HMAC-SHA256 of `{timestamp}.{method} {target}.{body}`, in hex."""
    head = f"{signed.timestamp}.{signed.method} {signed.target}."
    return hmac.new(secret, head.encode() + signed.body, hashlib.sha256).hexdigest()


def normalize_signature(given: str) -> str:
    """Return the one form of a signature that may be written in several: what is remembered must be that."""
    return given.removeprefix(_SCHEME).lower()


def check_signature(signed: Signed, secrets: Iterable[bytes], now: datetime) -> SignatureProblem | None:
    """Return why a request is not its sender's, or None. Takes as long for a wrong signature as for a right one."""
    if not signed.signature or not signed.timestamp:
        return REQUIRED
    given = normalize_signature(signed.signature).encode("ascii", "replace")
    found = [hmac.compare_digest(compute_signature(secret, signed).encode(), given) for secret in secrets]
    if not any(found) or not (signed.timestamp.isascii() and signed.timestamp.isdecimal()):
        return WRONG
    is_fresh = len(signed.timestamp) <= 12 and abs(int(signed.timestamp) - now.timestamp()) <= WINDOW_SECONDS
    return None if is_fresh else EXPIRED
