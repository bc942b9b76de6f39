"""Secrets of others are sealed in the database, and a copy that cannot be sent as set up says so and loses nothing."""

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from urllib.parse import quote, quote_plus
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.db import connection

from tests.cast import evaluate, report
from tests.forward.conftest import SECRET, MakeDestination, forward, let_wait_pass, load_progress
from tests.other_side import Heard, OtherSide, Say
from tracking.models import Source
from triggers.forward.kinds.ga4 import GoogleAnalytics
from triggers.forward.secrets import SettingsBroken, open_kind, write_secrets
from triggers.forward.trial import try_destination
from triggers.models import DestinationProgress, RefusedCopy


def test_a_secret_is_not_readable_in_the_database(make_destination: MakeDestination) -> None:
    destination = make_destination()
    destination.refresh_from_db()
    assert SECRET not in str(vars(destination))
    assert SECRET.removeprefix("whsec_")[:10] not in destination.sealed


def test_a_secret_that_cannot_be_read_any_more_stops_sending_in_words_and_loses_nothing(
    source: Source, other_side: OtherSide, make_destination: MakeDestination, settings: LazySettings
) -> None:
    destination = make_destination()
    report("visit", source=source)
    evaluate()
    former, settings.SECRET_KEY = settings.SECRET_KEY, "another secret key that is just as long as the other one"
    forward()
    assert other_side.heard == []
    assert "enter it again" in load_progress(destination).error

    settings.SECRET_KEY_FALLBACKS = [former]
    assert open_kind(destination)
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(SettingsBroken):
        open_kind(destination)
    write_secrets(destination, {"signing_secret": SECRET})
    destination.save()
    let_wait_pass()
    forward()
    assert len(other_side.taken) == 1


@pytest.mark.parametrize(("kind", "secret"), [("ga4", "sesame"), ("ga4", "se+sa/me &"), ("mixpanel", "token-of-ours")])
def test_an_answer_that_repeats_a_secret_is_told_without_it(
    source: Source, other_side: OtherSide, make_destination: MakeDestination, kind: str, secret: str
) -> None:
    destination = make_destination(kind)
    write_secrets(destination, {"ga4": {"api_secret": secret}, "mixpanel": {"project_token": secret}}[kind])
    destination.save()
    report("visit", source=source)
    evaluate()
    spelled = [secret, quote(secret, safe=""), quote_plus(secret), b64encode(f"{secret}:".encode()).decode()]

    def repeat(status: int) -> Callable[[Heard], Say]:
        def answer(heard: Heard) -> Say:
            # What is told is cut: within the secret, too.
            body = f"{'x' * 280} {secret} {heard.path} {heard.headers}".encode()
            return Say(status=status, body=body, headers={"Location": f"https://example.com{heard.path}"})

        return answer

    for status in (301, 500):
        other_side.answer = repeat(status)
        let_wait_pass()
        forward()
        said = load_progress(destination).error + try_destination(destination, datetime.now(UTC)).says
        assert "https://example.com/" in said
        assert not [text for text in spelled if text[:6] in said]
    other_side.answer = repeat(422)
    let_wait_pass()
    forward()
    assert not [text for text in spelled if text[:6] in RefusedCopy.objects.get().reason]


def test_a_copy_that_cannot_be_written_stops_nothing(
    source: Source, other_side: OtherSide, make_destination: MakeDestination, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_destination("ga4")
    pack = GoogleAnalytics.pack

    def choke(self: GoogleAnalytics, copies: list) -> list:  # type: ignore[type-arg]
        if any(copy.name == "poison" for copy in copies):
            raise OverflowError("too large")
        return pack(self, copies)

    monkeypatch.setattr(GoogleAnalytics, "pack", choke)
    for name in ("visit", "poison", "purchase"):
        report(name, source=source)
    evaluate()
    forward()
    assert [event["name"] for event in other_side.taken[0].json["events"]] == ["visit", "purchase"]
    refused = RefusedCopy.objects.get()
    assert refused.name == "poison"
    assert "cannot be written" in refused.reason


@pytest.mark.parametrize("kind", ["webhook", "ga4", "mixpanel"])
def test_a_test_event_shows_the_answer(make_destination: MakeDestination, other_side: OtherSide, kind: str) -> None:
    destination = make_destination(kind, is_on=False)
    taken = {"webhook": b"", "ga4": b'{"validationMessages": []}', "mixpanel": b'{"code":200,"status":"OK"}'}
    other_side.answer = lambda request: Say(body=taken[kind])
    trial = try_destination(destination, datetime.now(UTC))
    assert trial.is_taken
    assert "It answered 200" in trial.says
    assert b"test_event" in other_side.heard[0].body

    other_side.refuse(401)
    trial = try_destination(destination, datetime.now(UTC))
    assert not trial.is_taken
    assert "It answered 401" in trial.says


def test_a_test_event_names_what_is_in_the_way(make_destination: MakeDestination, settings: LazySettings) -> None:
    destination = make_destination(is_on=False)
    settings.OUTBOUND_ALLOWED_NETWORKS = []
    trial = try_destination(destination, datetime.now(UTC))
    assert not trial.is_taken
    assert "private network" in trial.says


def test_what_was_answered_before_is_told_without_a_secret_too(make_destination: MakeDestination) -> None:
    ga4, mixpanel = make_destination("ga4"), make_destination("mixpanel")
    write_secrets(ga4, {"api_secret": "se+sa/me & more"})
    write_secrets(mixpanel, {"project_token": "token-of-ours"})
    ga4.save()
    mixpanel.save()
    mine, others = quote("se+sa/me & more", safe=""), b64encode(b"token-of-ours:").decode()
    said = {
        ga4: f"It answered 301, and pointed to https://example.com/mp/collect?api_secret={mine}",
        mixpanel: f"It answered 500: Authorization: Basic {others[:9]}",
    }
    for destination, words in said.items():
        DestinationProgress.objects.filter(pk=destination.pk).update(error=words)
        moment, copy_id = datetime.now(UTC), UUID(int=destination.pk)
        for number, reason in enumerate((words, "It answered 400: no such token")):
            RefusedCopy.objects.create(
                destination=destination, copy_id=copy_id, lane=number, name="visit", reason=reason, refused_at=moment
            )

    migration = import_module("triggers.migrations.0007_no_secrets_in_answers")
    with connection.schema_editor() as editor:
        migration.hide_secrets(None, editor)

    kept = list(RefusedCopy.objects.order_by("destination", "lane").values_list("reason", flat=True))
    assert kept == [
        "It answered 301, and pointed to https://example.com/mp/collect?api_secret=•••",
        "It answered 400: no such token",
        "It answered 500: Authorization: Basic •••",
        "It answered 400: no such token",
    ]
    assert [load_progress(one).error for one in said] == [kept[0], kept[2]]
