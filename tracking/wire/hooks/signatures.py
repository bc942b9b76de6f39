"""How foreign systems prove that a webhook is theirs: one row a style. Pure.

A style reads from a request what was claimed (signatures, the bytes that they cover, when they were made); `verify`
compares that with what each valid secret gives, in a time that tells nothing.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

TOLERANCE_SECONDS = 300
"""How far a signed time may be from ours, either way: later it is a replay, or a clock is wrong."""

MAX_SIGNATURES = 10
_MAX_DIGITS = 12


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What arrived. Header names are lower-case; `body` is exactly as it came; `token` is the address's `?token=`."""

    headers: Mapping[str, str]
    body: bytes
    token: str | None = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why an attempt is not believed. `status` is the HTTP status."""

    status: int
    code: str
    message: str


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """The signatures that were sent, the bytes that they cover, and when they were made (Unix seconds)."""

    signatures: Sequence[bytes]
    signed: bytes
    at: int | None = None


class Style(msgspec.Struct, frozen=True, kw_only=True):
    """One way to prove it.

    `read` finds the claim, under the header's name where that can be chosen; `make_key` turns the secret as people
    write it into bytes (ValueError when it is none of this style's); `sign` computes what is expected. `curl` are the
    options of a curl line that signs "$BODY" with "$SECRET", `setup` what must stand before it, `query` what follows
    the address.
    """

    name: str
    title: str
    header: str
    has_own_header: bool
    read: Callable[[Attempt, str], Claim | Refusal]
    make_key: Callable[[str], bytes]
    sign: Callable[[bytes, bytes], bytes]
    curl: tuple[str, ...]
    setup: tuple[str, ...] = ()
    query: str = ""
    makes_secret: str = ""


def verify(style: Style, attempt: Attempt, *, header: str, secrets: Sequence[str], now: datetime) -> Refusal | None:
    """Return why an attempt is not believed, or None: then one of the secrets signed it, just now.

    Where the style signs a time, it lies within TOLERANCE_SECONDS of `now`.
    """
    claim = style.read(attempt, header or style.header)
    if isinstance(claim, Refusal):
        return claim
    if not _is_signed(style, claim, secrets):
        return Refusal(status=401, code="signature_wrong", message="No valid secret gives this signature.")
    if claim.at is not None and abs(now.timestamp() - claim.at) > TOLERANCE_SECONDS:
        message = f"It was signed at another time than now: more than {TOLERANCE_SECONDS} seconds off."
        return Refusal(status=403, code="signature_outdated", message=message)
    return None


def _is_signed(style: Style, claim: Claim, secrets: Sequence[str]) -> bool:
    """Every pair is compared, so that the time taken does not say which fitted."""
    fits = False
    for secret in secrets:
        try:
            expected = style.sign(style.make_key(secret), claim.signed)
        except ValueError:
            continue
        for signature in claim.signatures:
            fits |= hmac.compare_digest(expected, signature)
    return fits


def _miss(header: str) -> Refusal:
    return Refusal(status=401, code="signature_missing", message=f"The header {header} is missing.")


def _garble(header: str) -> Refusal:
    message = f"The header {header} holds no signature of this style."
    return Refusal(status=401, code="signature_malformed", message=message)


def _read_hex(attempt: Attempt, header: str) -> Claim | Refusal:
    value = attempt.headers.get(header.lower())
    if value is None:
        return _miss(header)
    signature = _decode_hex(value.strip().removeprefix("sha256="))
    return _garble(header) if signature is None else Claim(signatures=[signature], signed=attempt.body)


def _read_base64(attempt: Attempt, header: str) -> Claim | Refusal:
    value = attempt.headers.get(header.lower())
    if value is None:
        return _miss(header)
    signature = _decode_base64(value.strip())
    return _garble(header) if signature is None else Claim(signatures=[signature], signed=attempt.body)


def _read_stripe(attempt: Attempt, header: str) -> Claim | Refusal:
    """`t=1700000000,v1=hex,v1=hex`: the time and the body are signed; other versions are passed over."""
    value = attempt.headers.get(header.lower())
    if value is None:
        return _miss(header)
    parts = [part.strip().partition("=") for part in value.split(",")]
    times = [text for name, _, text in parts if name == "t"]
    signatures = list(_decode_all(_decode_hex, (text for name, _, text in parts if name == "v1")))
    at = _read_seconds(times[0]) if len(times) == 1 else None
    if at is None or not signatures:
        return _garble(header)
    return Claim(signatures=signatures, signed=b"%s.%s" % (times[0].encode(), attempt.body), at=at)


def _read_standard(attempt: Attempt, header: str) -> Claim | Refusal:
    """`webhook-id`, `webhook-timestamp` and `webhook-signature: v1,base64 v1,base64`; older senders say `svix-`."""
    prefix = "svix" if "svix-signature" in attempt.headers else "webhook"
    names = [f"{prefix}-id", f"{prefix}-timestamp", f"{prefix}-signature"]
    values = [attempt.headers.get(name, "") for name in names]
    for name, value in zip(names, values, strict=True):
        if not value:
            return _miss(name)
    identity, seconds, given = values
    parts = [part.partition(",") for part in given.split()]
    signatures = list(_decode_all(_decode_base64, (text for version, _, text in parts if version == "v1")))
    at = _read_seconds(seconds)
    if at is None or not signatures:
        return _garble(names[1] if at is None else names[2])
    signed = b"%s.%s.%s" % (identity.encode("utf-8", "replace"), seconds.encode(), attempt.body)
    return Claim(signatures=signatures, signed=signed, at=at)


def _read_header_secret(attempt: Attempt, header: str) -> Claim | Refusal:
    value = attempt.headers.get(header.lower())
    if not value:
        return _miss(header)
    return Claim(signatures=[_hash(value.removeprefix("Bearer ").strip())], signed=b"")


def _read_query_secret(attempt: Attempt, header: str) -> Claim | Refusal:
    if not attempt.token:
        return Refusal(status=401, code="signature_missing", message="The address lacks its ?token=.")
    return Claim(signatures=[_hash(attempt.token)], signed=b"")


def _decode_all(decode: Callable[[str], bytes | None], texts: Iterator[str]) -> Iterator[bytes]:
    for _, text in zip(range(MAX_SIGNATURES), texts, strict=False):
        signature = decode(text)
        if signature is not None:
            yield signature


def _decode_hex(text: str) -> bytes | None:
    try:
        return binascii.unhexlify(text)
    except ValueError:
        return None


def _decode_base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None


def _read_seconds(text: str) -> int | None:
    is_plain = text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
    return int(text) if is_plain else None


def _hash(text: str) -> bytes:
    """Secrets of unequal length are compared by hashes: a comparison ends early where lengths differ."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _make_text_key(secret: str) -> bytes:
    return secret.encode()


def _make_standard_key(secret: str) -> bytes:
    text = secret.removeprefix("whsec_")
    key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    if not key:
        raise ValueError("the secret is empty")
    return key


def _sign(key: bytes, signed: bytes) -> bytes:
    return hmac.digest(key, signed, "sha256")


def _repeat(key: bytes, signed: bytes) -> bytes:
    return hashlib.sha256(key).digest()


_HEX = "openssl dgst -sha256 -hmac \"$SECRET\" -r | cut -d' ' -f1"
_STANDARD_KEY = "KEY=$(printf %s \"${SECRET#whsec_}\" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \\n')"

STYLES: dict[str, Style] = {
    style.name: style
    for style in (
        Style(
            name="hmac_hex",
            title="HMAC in a header, in hex (GitHub and many others)",
            header="X-Hub-Signature-256",
            has_own_header=True,
            read=_read_hex,
            make_key=_make_text_key,
            sign=_sign,
            curl=('-H "{header}: sha256=$(printf %s "$BODY" | ' + _HEX + ')"',),
        ),
        Style(
            name="hmac_base64",
            title="HMAC in a header, in base64 (Shopify)",
            header="X-Shopify-Hmac-Sha256",
            has_own_header=True,
            read=_read_base64,
            make_key=_make_text_key,
            sign=_sign,
            curl=(
                '-H "{header}: $(printf %s "$BODY" | openssl dgst -sha256 -hmac "$SECRET" -binary '
                '| openssl base64 -A)"',
            ),
        ),
        Style(
            name="stripe",
            title="Stripe (time and HMAC in one header)",
            header="Stripe-Signature",
            has_own_header=True,
            read=_read_stripe,
            make_key=_make_text_key,
            sign=_sign,
            setup=("NOW=$(date +%s)",),
            curl=('-H "{header}: t=$NOW,v1=$(printf %s "$NOW.$BODY" | ' + _HEX + ')"',),
        ),
        Style(
            name="standard",
            title="Standard Webhooks (webhook-id, webhook-timestamp, webhook-signature)",
            header="webhook-signature",
            has_own_header=False,
            read=_read_standard,
            make_key=_make_standard_key,
            sign=_sign,
            setup=("NOW=$(date +%s); ID=msg_$NOW", _STANDARD_KEY),
            curl=(
                '-H "webhook-id: $ID" -H "webhook-timestamp: $NOW"',
                '-H "webhook-signature: v1,$(printf %s "$ID.$NOW.$BODY" '
                '| openssl dgst -sha256 -mac HMAC -macopt hexkey:$KEY -binary | openssl base64 -A)"',
            ),
            makes_secret="whsec_",
        ),
        Style(
            name="header",
            title="A shared secret in a header",
            header="X-Webhook-Secret",
            has_own_header=True,
            read=_read_header_secret,
            make_key=_make_text_key,
            sign=_repeat,
            curl=('-H "{header}: $SECRET"',),
        ),
        Style(
            name="query",
            title="A shared secret in the address (?token=)",
            header="",
            has_own_header=False,
            read=_read_query_secret,
            make_key=_make_text_key,
            sign=_repeat,
            curl=(),
            query="?token=$SECRET",
        ),
    )
}
