"""From copies to requests, without a network: names and limits, signatures, and what answers mean."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from triggers.forward.copies import Copy, What
from triggers.forward.kinds import KINDS, read_kind
from triggers.forward.kinds.base import Reply, Result, judge_status, read_retry_after, say_reply
from triggers.forward.kinds.ga4 import MOST_PARAMS, GoogleAnalytics, make_name, make_params
from triggers.forward.kinds.mixpanel import Mixpanel, make_event
from triggers.forward.kinds.webhook import Webhook, make_secret

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GA4_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
WEBHOOK = Webhook(url="https://example.com/hook", signing_secret=make_secret())
GA4 = GoogleAnalytics(measurement_id="G-1", api_secret="s")
MIXPANEL = Mixpanel(project_token="t")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def make_copy(number: int = 1, **fields: Any) -> Copy:
    plain: dict[str, Any] = {
        "id": UUID(int=number),
        "what": What.EVENT,
        "lane": 1,
        "seq": number,
        "name": "visit",
        "profile": "p1",
        "user_id": "ada",
        "device": None,
        "properties": {},
        "source": "Shop",
        "occurred_at": NOW,
        "received_at": NOW,
    }
    return Copy(**plain | fields)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("add_to_cart", "add_to_cart"),
        ("Order Completed", "Order_Completed"),
        ("1st order", "e_1st_order"),
        ("käufe", "k_ufe"),
        ("", "e_"),
        ("click", "e_click"),
        ("session_start", "e_session_start"),
        ("ga_rose", "e_ga_rose"),
        ("firebase_x", "e_firebase_x"),
        ("_hidden", "e__hidden"),
        ("gtag.x", "e_gtag_x"),
    ],
)
def test_a_name_becomes_one_that_google_takes(name: str, made: str) -> None:
    assert make_name(name) == made


@given(st.text(max_size=100), st.text(max_size=100))
def test_every_name_is_one_that_google_takes_and_always_the_same(one: str, other: str) -> None:
    assert GA4_NAME.fullmatch(make_name(one))
    assert make_name(one) == make_name(one)
    if len(one) > 60 and len(other) > 60 and one != other:
        assert make_name(one) != make_name(other), "those that are cut are told apart"


@given(st.dictionaries(st.text(), JSON, max_size=40))
def test_whatever_the_properties_are_google_takes_the_parameters(properties: dict[str, Any]) -> None:
    params = make_params(properties)
    assert len(params) <= MOST_PARAMS - 2
    assert all(GA4_NAME.fullmatch(name) for name in params)
    assert all(len(value) <= 100 for value in params.values() if isinstance(value, str))


@given(st.dictionaries(st.text(), JSON, max_size=40), st.text())
def test_whatever_happened_every_kind_can_write_it(properties: dict[str, Any], name: str) -> None:
    copy = make_copy(properties=properties, name=name)
    for kind in (WEBHOOK, GA4, MIXPANEL):
        (parcel,) = kind.pack([copy])[0]
        assert str(copy.id) in parcel.body.decode()
        assert parcel == kind.pack([copy])[0][0]


def test_a_request_to_google_never_grows_beyond_its_limit() -> None:
    items = [{f"key{key}": "x" * 100 for key in range(20)} for _ in range(200)]
    strands = GA4.pack([make_copy(number, properties={"items": items}) for number in range(1, 8)])
    assert all(len(parcel.body) < 130_000 for strand in strands for parcel in strand)
    assert sum(len(parcel.copies) for strand in strands for parcel in strand) == 7


def test_an_import_to_mixpanel_never_grows_beyond_its_limits() -> None:
    small = MIXPANEL.pack([make_copy(number) for number in range(1, 4502)])
    assert [len(parcel.copies) for parcel in small[0]] == [2000, 2000, 501]
    large = MIXPANEL.pack([make_copy(number, properties={"x": "y" * 30_000}) for number in range(1, 100)])
    assert all(len(parcel.body) < 2_000_000 for parcel in large[0])
    assert sum(len(parcel.copies) for parcel in large[0]) == 99
    assert len(make_event(make_copy(properties={f"p{n}": n for n in range(500)}))["properties"]) < 255


def test_a_persons_copies_stay_in_order_whatever_device_they_used() -> None:
    copies = [make_copy(number, device=["a", "b"][number // 3 % 2], profile="p1") for number in range(1, 13)]
    (strand,) = GA4.pack(copies)
    sent = [copy.seq for parcel in strand for copy in parcel.copies]
    assert sent == sorted(sent)
    assert all(len({copy.device for copy in parcel.copies}) == 1 for parcel in strand)


def test_the_signature_is_what_the_librarys_verifier_computes_and_belongs_to_the_attempt() -> None:
    now = datetime.now(UTC)
    (parcel,) = WEBHOOK.pack([make_copy()])[0]
    headers, later = WEBHOOK.sign(parcel, now), WEBHOOK.sign(parcel, now + timedelta(seconds=5))
    verifier = Verifier(WEBHOOK.signing_secret)
    assert verifier.verify(parcel.body, headers)["type"] == "event"
    assert headers["webhook-id"] == later["webhook-id"] == str(UUID(int=1))
    assert headers["webhook-signature"] != later["webhook-signature"]
    assert headers["webhook-signature"] == verifier.sign(headers["webhook-id"], now, parcel.body.decode())
    for wrong in (parcel.body + b" ", parcel.body.replace(b"ada", b"eve")):
        with pytest.raises(WebhookVerificationError):
            verifier.verify(wrong, headers)


@pytest.mark.parametrize("secret", ["", "abc", "whsec_", "whsec_c2hvcnQ=", "whsec_???", "whpk_" + "A" * 44])
def test_a_secret_that_signs_nothing_is_refused(secret: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        read_kind("webhook", {"url": "https://example.com", "signing_secret": secret})


def test_the_id_of_several_is_made_of_theirs() -> None:
    kind = msgspec.structs.replace(WEBHOOK, per_request=3)
    first, again = (kind.pack([make_copy(1), make_copy(2)])[0][0] for _ in range(2))
    other = kind.pack([make_copy(1), make_copy(3)])[0][0]
    ids = [kind.sign(parcel, NOW)["webhook-id"] for parcel in (first, again, other)]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (200, Result.SENT),
        (204, Result.SENT),
        (400, Result.REFUSED),
        (413, Result.REFUSED),
        (414, Result.REFUSED),
        (415, Result.REFUSED),
        (422, Result.REFUSED),
        (431, Result.REFUSED),
        (402, Result.HELD),
        (409, Result.HELD),
        (451, Result.HELD),
        (301, Result.HELD),
        (401, Result.HELD),
        (404, Result.HELD),
        (408, Result.HELD),
        (429, Result.SHUT),
        (500, Result.HELD),
        (503, Result.HELD),
    ],
)
def test_what_a_status_means(status: int, result: Result) -> None:
    assert judge_status(Reply(status=status), NOW).result is result


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("120", 120),
        ("0", 0),
        ("999999999999", 86_400),
        (format_datetime(NOW + timedelta(hours=1), usegmt=True), 3600),
        (format_datetime(NOW - timedelta(hours=1), usegmt=True), 0),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("²", None),
    ],
)
def test_how_long_the_other_side_asks_to_be_left_alone(said: str, wait: int | None) -> None:
    found = read_retry_after({"retry-after": said}, NOW)
    assert found == (None if wait is None else timedelta(seconds=wait))


def test_every_kind_of_the_model_is_there() -> None:
    assert set(KINDS) == {"webhook", "ga4", "mixpanel"}


def test_google_says_in_a_trial_what_it_would_not_take() -> None:
    parcel = GA4.pack_trial(make_copy())
    assert "/debug/mp/collect?" in parcel.url
    found = b'{"validationMessages":[{"fieldPath":"events","description":"No good.","validationCode":"X"}]}'
    assert GA4.judge_trial(parcel, Reply(status=200, body=found), NOW).reason == "No good."
    assert GA4.judge_trial(parcel, Reply(status=200, body=b'{"validationMessages":[]}'), NOW).result is Result.SENT
    assert GA4.judge_trial(parcel, Reply(status=200, body=b"<html>"), NOW).result is Result.HELD


def test_of_a_page_that_answers_only_its_text_is_told() -> None:
    page = (
        b"<html><head><title>503</title><style>p{}</style></head><body><h1>Down</h1>\n<p>Back soon.</p></body></html>"
    )
    assert say_reply(Reply(status=503, headers={"content-type": "text/html"}, body=page)) == (
        "It answered 503: Down Back soon."
    )
    assert say_reply(Reply(status=422, body=b"a < b")) == "It answered 422: a < b"
