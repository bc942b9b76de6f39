"""Whose webhook is it? Each style against signatures that other code made."""

import base64
import hashlib
import hmac
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from tracking.wire.hooks.signatures import STYLES, TOLERANCE_SECONDS, Attempt, verify

NOW = datetime(2026, 1, 5, 10, 4, tzinfo=UTC)
BODY = b'{"id": 1, "name": "caf\xc3\xa9"}'
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ALL = sorted(STYLES)


def sign(style: str, body: bytes = BODY, secret: str = SECRET, at: datetime = NOW) -> Attempt:
    """Sign as the sender would, without any of the code under test."""
    seconds = str(int(at.timestamp()))
    plain = hmac.new(secret.encode(), body, hashlib.sha256)
    timed = hmac.new(secret.encode(), seconds.encode() + b"." + body, hashlib.sha256)
    makers: dict[str, Callable[[], dict[str, str]]] = {
        "hmac_hex": lambda: {"x-hub-signature-256": f"sha256={plain.hexdigest()}"},
        "hmac_base64": lambda: {"x-shopify-hmac-sha256": base64.b64encode(plain.digest()).decode()},
        "stripe": lambda: {"stripe-signature": f"t={seconds},v1={timed.hexdigest()},v0=00"},
        "standard": lambda: {
            "webhook-id": "msg_1",
            "webhook-timestamp": seconds,
            "webhook-signature": Webhook(secret).sign("msg_1", at, body.decode()),
        },
        "header": lambda: {"x-webhook-secret": secret},
        "query": dict,
    }
    return Attempt(headers=makers[style](), body=body, token=secret if style == "query" else None)


def judge(style: str, attempt: Attempt, *secrets: str, now: datetime = NOW) -> str | None:
    refusal = verify(STYLES[style], attempt, header="", secrets=secrets or (SECRET,), now=now)
    return refusal.code if refusal is not None else None


def test_the_example_that_github_publishes_is_believed() -> None:
    digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    attempt = Attempt(headers={"x-hub-signature-256": f"sha256={digest}"}, body=b"Hello, World!")
    assert judge("hmac_hex", attempt, "It's a Secret to Everybody") is None
    assert judge("hmac_hex", attempt, "It's a Secret to Nobody") == "signature_wrong"


@pytest.mark.parametrize("style", ALL)
def test_what_its_sender_signed_is_believed(style: str) -> None:
    assert judge(style, sign(style)) is None


@pytest.mark.parametrize("style", ALL)
def test_another_secret_is_not_believed(style: str) -> None:
    assert judge(style, sign(style), "whsec_" + base64.b64encode(b"another").decode()) == "signature_wrong"


@pytest.mark.parametrize("style", ALL)
def test_either_of_two_secrets_will_do_during_a_rotation(style: str) -> None:
    other = "whsec_" + base64.b64encode(b"the newer one").decode()
    assert judge(style, sign(style), other, SECRET) is None
    assert judge(style, sign(style, secret=other), other, SECRET) is None


@pytest.mark.parametrize("style", ["hmac_hex", "hmac_base64", "stripe", "standard"])
@pytest.mark.parametrize("tampered", [BODY + b" ", BODY[1:], BODY.replace(b"1", b"2"), b""])
def test_a_changed_body_is_not_believed(style: str, tampered: bytes) -> None:
    attempt = sign(style)
    assert judge(style, Attempt(headers=attempt.headers, body=tampered)) == "signature_wrong"


@pytest.mark.parametrize("style", ["stripe", "standard"])
@pytest.mark.parametrize("sign_of", [1, -1])
def test_a_signed_time_may_be_five_minutes_off_and_no_more(style: str, sign_of: int) -> None:
    attempt = sign(style)
    nearly = NOW + sign_of * timedelta(seconds=TOLERANCE_SECONDS)
    assert judge(style, attempt, now=nearly) is None
    assert judge(style, attempt, now=nearly + sign_of * timedelta(seconds=1)) == "signature_outdated"


def test_the_time_is_part_of_what_is_signed() -> None:
    later = NOW + timedelta(hours=2)
    for style, name in (("stripe", "stripe-signature"), ("standard", "webhook-timestamp")):
        old, new = str(int(NOW.timestamp())), str(int(later.timestamp()))
        attempt = sign(style)
        moved = dict(attempt.headers) | {name: attempt.headers[name].replace(old, new)}
        assert judge(style, Attempt(headers=moved, body=BODY), now=later) == "signature_wrong"


def test_the_id_of_a_standard_webhook_is_signed_too() -> None:
    attempt = sign("standard")
    assert judge("standard", Attempt(headers=dict(attempt.headers) | {"webhook-id": "msg_2"}, body=BODY)) is not None


def test_one_of_several_signatures_will_do_and_ten_are_looked_at() -> None:
    attempt = sign("stripe")
    seconds, right = (part.partition("=")[2] for part in attempt.headers["stripe-signature"].split(",")[:2])

    def give(*signatures: str) -> str | None:
        header = ",".join([f"t={seconds}", *(f"v1={one}" for one in signatures)])
        return judge("stripe", Attempt(headers={"stripe-signature": header}, body=BODY))

    assert give("00" * 32, right) is None
    assert give(*["00" * 32] * 10, right) == "signature_wrong"


def test_the_older_names_of_standard_webhooks_are_understood() -> None:
    attempt = sign("standard")
    renamed = {name.replace("webhook-", "svix-"): value for name, value in attempt.headers.items()}
    assert judge("standard", Attempt(headers=renamed, body=BODY)) is None


def test_a_header_of_ones_own_carries_bare_hex_or_a_bearer() -> None:
    digest = hmac.new(b"s", BODY, hashlib.sha256).hexdigest()
    bare = Attempt(headers={"x-signature": digest}, body=BODY)
    assert verify(STYLES["hmac_hex"], bare, header="X-Signature", secrets=("s",), now=NOW) is None
    bearer = Attempt(headers={"authorization": "Bearer s"}, body=BODY)
    assert verify(STYLES["header"], bearer, header="Authorization", secrets=("s",), now=NOW) is None


@pytest.mark.parametrize("style", ALL)
def test_without_a_signature_nothing_is_believed(style: str) -> None:
    assert judge(style, Attempt(headers={}, body=BODY)) == "signature_missing"
    assert verify(STYLES[style], sign(style), header="", secrets=(), now=NOW) is not None


@pytest.mark.parametrize("style", ALL)
@given(text=st.text(max_size=80), body=st.binary(max_size=40))
def test_no_header_makes_it_raise_or_believe(style: str, text: str, body: bytes) -> None:
    standard = ("webhook-id", "webhook-timestamp", "webhook-signature")
    names = ("x-hub-signature-256", "x-shopify-hmac-sha256", "stripe-signature", "x-webhook-secret", *standard)
    attempt = Attempt(headers=dict.fromkeys(names, text), body=body, token=text)
    assert judge(style, attempt) is not None


@pytest.mark.parametrize("style", ALL)
def test_every_pair_is_compared_in_constant_time(style: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare(first: bytes, second: bytes) -> bool:
        compared.append(len(first) == len(second))
        return first == second

    monkeypatch.setattr("tracking.wire.hooks.signatures.hmac.compare_digest", compare)
    other = "whsec_" + base64.b64encode(b"another").decode()
    assert judge(style, sign(style), SECRET, other) is None
    assert compared == [True, True]


@pytest.mark.parametrize("style", ALL)
def test_the_curl_line_that_the_admin_shows_signs_as_the_sender_does(style: str) -> None:
    """A shell runs it with a curl that prints its arguments, one a line."""
    row = STYLES[style]
    options = " ".join(row.curl).replace("{header}", row.header)
    script = "\n".join([f"SECRET='{SECRET}'; BODY='{BODY.decode()}'", *row.setup, f'curl "a{row.query}" {options}'])
    printed = subprocess.run(
        ["sh", "-c", "curl() { printf '%s\\n' \"$@\"; }\n" + script], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    pairs = [line.partition(": ") for line in printed if ": " in line]
    headers = {name.lower(): value for name, _, value in pairs}
    attempt = Attempt(headers=headers, body=BODY, token=printed[0].partition("token=")[2] or None)
    assert judge(style, attempt, now=datetime.now(UTC)) is None
