"""A message that never left uses up no "once": the log says that it was not sent, and every later decision knows."""

import json
from typing import Any

import pytest
from django.test import Client

from tests.cast import ADA, ON_CART, deliver, evaluate, make_rule, make_template, pass_time, report, scan
from tests.mail_server import MailServer
from tracking.event import NOT_SENT, SYSTEM, compute_user_profile_id
from tracking.models import Event, Profile, ProfileChange, Source
from tracking.sources import create_source
from triggers.admin.timeline import load_timeline
from triggers.audit import replay
from triggers.audit.compare import audit
from triggers.deliver.settle import settle_in_doubt
from triggers.lifecycle import archive_rule
from triggers.models import Activation, Delivery, Rule
from triggers.worker import get_worker

ONCE = {"kind": "once"}
GREETING = {"text": "Hi {{ user.first_name }},"}


def put_into_cart(source: Source, **who: Any) -> None:
    report("add_to_cart", source=source, **who)
    evaluate()
    deliver()
    evaluate()


def say(source: Source, **traits: Any) -> None:
    report("$identify", source=source, properties={"traits": traits})
    evaluate()


@pytest.fixture
def rule(source: Source) -> Rule:
    return make_rule(trigger=ON_CART, template=make_template(**GREETING).pk, reentry=ONCE)


def test_a_value_that_was_missing_leaves_the_once_for_later(source: Source, server: MailServer, rule: Rule) -> None:
    say(source, email="ada@example.com")
    put_into_cart(source)
    assert server.mails == []

    say(source, first_name="Ada")
    put_into_cart(source)
    put_into_cart(source)

    assert len(server.mails) == 1
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["accepted", "dropped"]
    assert audit().is_clean


def test_an_address_that_never_came_leaves_the_once_for_later(source: Source, server: MailServer, rule: Rule) -> None:
    put_into_cart(source)
    put_into_cart(source)
    assert Activation.objects.count() == 1, "what may still be sent counts"
    pass_time(3601)
    deliver()
    evaluate()

    say(source, email="ada@example.com", first_name="Ada")
    put_into_cart(source)

    assert len(server.mails) == 1
    assert audit().is_clean


def test_so_does_not_again_within(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template(**GREETING).pk, reentry={"kind": "after", "seconds": 86400})
    say(source, email="ada@example.com")
    put_into_cart(source)
    say(source, first_name="Ada")
    put_into_cart(source)

    assert len(server.mails) == 1


def test_a_refused_mail_was_not_sent(source: Source, server: MailServer, rule: Rule) -> None:
    server.refuse = "550 nobody of that name"
    say(source, email="typo@example.com", first_name="Ada")
    put_into_cart(source)
    server.refuse = None

    say(source, email="ada@example.com")
    put_into_cart(source)

    assert [mail["To"] for mail in server.mails] == ["ada@example.com"]
    assert audit().is_clean


def test_what_may_have_been_sent_counts(source: Source, server: MailServer, rule: Rule) -> None:
    server.break_after_body = True
    say(source, email="ada@example.com", first_name="Ada")
    put_into_cart(source)
    server.break_after_body = False
    assert settle_in_doubt(Delivery.objects.get().pk, arrived=False, by="olga")
    archive_rule(rule)
    deliver()
    assert Delivery.objects.get().state == "dropped"

    assert not Event.objects.filter(name=NOT_SENT).exists()
    assert Activation.objects.get().released_seq is None


def test_a_silence_that_was_closed_by_a_return_leaves_the_once_for_later(source: Source, server: MailServer) -> None:
    make_rule(trigger={"kind": "session_end", "after": 900}, template=make_template().pk, reentry=ONCE)
    say(source, email="ada@example.com")
    report("page_view", source=source)
    evaluate()
    pass_time(1000)
    report("page_view", source=source)
    evaluate()
    assert Delivery.objects.get().reason == "came_back"
    pass_time(1000)
    scan()
    deliver()

    assert len(server.mails) == 1
    assert audit().is_clean


def test_an_event_from_before_the_drop_is_decided_as_of_its_place(
    source: Source, server: MailServer, rule: Rule
) -> None:
    say(source, email="ada@example.com")
    report("add_to_cart", source=source)
    evaluate()
    report("add_to_cart", source=source)
    deliver()
    evaluate()

    assert Activation.objects.count() == 1
    assert audit().is_clean


def test_who_was_not_mailed_on_a_device_is_mailed_when_known(source: Source, server: MailServer, rule: Rule) -> None:
    put_into_cart(source, user_id=None, anonymous_id="d1")
    report("page_view", source=source, anonymous_id="d1")
    evaluate()
    pass_time(3601)
    deliver()
    say(source, email="ada@example.com", first_name="Ada")
    # Nobody has looked at the device's lane since: the drop counts all the same.
    put_into_cart(source)

    assert len(server.mails) == 1
    assert audit().is_clean


def test_a_replay_in_small_pieces_decides_the_same(
    source: Source, server: MailServer, rule: Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(source, email="ada@example.com")
    for _ in range(4):
        put_into_cart(source)
    assert Activation.objects.count() == 4

    for span in (1, 2, 1000):
        monkeypatch.setattr(replay, "SPAN", span)
        assert audit().is_clean


def test_that_it_was_not_sent_starts_nothing_and_shows_nobody_active(source: Source, rule: Rule) -> None:
    make_rule("Echo", trigger={"kind": "event", "event": NOT_SENT})
    say(source, email="ada@example.com")
    put_into_cart(source)

    event = Event.objects.get(name=NOT_SENT)
    assert (event.origin, event.properties["reason"]) == (SYSTEM, "missing_variable")
    assert Activation.objects.count() == 1
    assert not ProfileChange.objects.filter(id=event.pk).exists()


def test_the_timeline_says_it_of_the_message_only(source: Source, rule: Rule) -> None:
    say(source, email="ada@example.com")
    put_into_cart(source)

    entries = load_timeline(Profile.objects.get(pk=compute_user_profile_id(ADA))).entries
    assert [entry.event.name for entry in entries] == ["add_to_cart", "$identify"]
    assert entries[0].decisions[0].messages[0].delivery.reason == "missing_variable"


@pytest.mark.parametrize("key", ["write_key", "secret_key"])
def test_nobody_else_says_that_a_message_was_not_sent(log: None, key: str) -> None:
    _, keys = create_source("App")
    body = {"event": NOT_SENT, "user_id": ADA, "properties": {"activation": "x"}}

    answer = Client().post(
        "/v1/events", json.dumps(body), "application/json", HTTP_AUTHORIZATION=f"Bearer {getattr(keys, key)}"
    )

    assert "reserved_event" in answer.content.decode()
    assert not Event.objects.exists()


def test_marking_reads_no_whole_table(source: Source, rule: Rule) -> None:
    say(source, email="ada@example.com")
    report("add_to_cart", source=source)
    evaluate()
    connection = get_worker().connection
    connection.execute("""
        insert into activation (id, lane, profile_id, rule_id, rule_version_id, event_id, event_seq, occurred_at, trace,
                                created_at)
        select gen_random_uuid(), n % 64, gen_random_uuid(), 1, 1, gen_random_uuid(), n, now(), '{}', now()
          from generate_series(1, 5000) n""")
    connection.execute("analyze activation")
    reads = "select sum(seq_scan) from pg_stat_user_tables where relname = 'activation'"
    connection.execute("select pg_stat_force_next_flush()")
    before = connection.execute(reads).fetchone()

    deliver()

    connection.execute("select pg_stat_force_next_flush()")
    assert Activation.objects.filter(released_seq__isnull=False).count() == 1
    assert connection.execute(reads).fetchone() == before
