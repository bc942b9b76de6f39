"""Delivering when something is wrong: with the mail server, with a worker, with one message of many."""

import threading
from contextlib import closing

import pytest
from django.conf import LazySettings
from django.db import connection as django_connection

from engagement.lib.postgres import open_connection
from tests.cast import (
    CART,
    ON_CART,
    add_to_cart,
    deliver,
    evaluate,
    make_rule,
    make_template,
    pass_time,
    report,
    scan,
    the_delivery,
)
from tests.live import wait_for
from tests.mail_server import MailServer, RudeServer, point_to
from tracking.models import Source
from tracking.registry import get_registry
from triggers.channels import CHANNELS
from triggers.channels.base import SendOutcome, SendResult
from triggers.deliver import run
from triggers.deliver.claim import claim_due
from triggers.deliver.record import record_outcome
from triggers.deliver.run import deliver_due
from triggers.deliver.settle import settle_in_doubt
from triggers.lifecycle import archive_rule, pause_rule, resume_rule
from triggers.models import Attempt, Delivery, Rule, RuleVersion, SendingSwitch
from triggers.worker import get_worker


@pytest.mark.parametrize("answer", ["251 somebody will", "nonsense", "354 go on"])
def test_an_answer_after_the_body_that_is_none_leaves_the_mail_in_doubt(
    source: Source, server: MailServer, answer: str
) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    server.say = answer
    add_to_cart(source)

    deliver()

    assert the_delivery() == ("in_doubt", "connection_lost")


@pytest.mark.parametrize("greeting", ["421 busy", "554 no mail here"])
def test_a_server_that_takes_no_connection_is_asked_once_in_a_run(
    source: Source, settings: LazySettings, greeting: str
) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    for user_id in ("ada", "bob", "eve"):
        add_to_cart(source, user_id)
    with closing(RudeServer(greeting)) as rude:
        point_to(settings, rude.port)
        deliver()

    assert rude.connections == 1
    assert set(Delivery.objects.values_list("state", "reason", "attempts")) == {("planned", "retry", 1)}


def test_a_hand_over_late_in_the_lease_has_time_for_the_network(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)
    connection = get_worker().connection
    claimed = claim_due(connection, 10)[0]
    pass_time(100)
    with connection.transaction():
        run.hand_over(connection, claimed, CHANNELS["email"], get_registry())
    pass_time(60)

    deliver()

    assert the_delivery()[0] == "handed_over"


@pytest.mark.parametrize("settled", [False, True])
def test_an_answer_that_comes_late_counts_unless_somebody_settled_it(
    source: Source, server: MailServer, settled: bool
) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)
    connection = get_worker().connection
    claimed = claim_due(connection, 10)[0]
    with connection.transaction():
        run.hand_over(connection, claimed, CHANNELS["email"], get_registry())
    pass_time(130)
    deliver()
    if settled:
        settle_in_doubt(claimed.id, arrived=False, by="olga")

    record_outcome(connection, claimed, SendOutcome(result=SendResult.ACCEPTED), claimed.expires_at)

    assert the_delivery() == (("planned", "sent_again") if settled else ("accepted", ""))


def test_a_message_that_cannot_be_prepared_stops_no_other_and_is_tried_again(
    source: Source, server: MailServer
) -> None:
    broken = make_rule("Broken", trigger=ON_CART, template=make_template("Broken").pk)
    make_rule("Good", trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)
    definition = RuleVersion.objects.get(rule=broken).definition
    RuleVersion.objects.filter(rule=broken).update(definition={"format": 99})

    deliver()
    first = list(Delivery.objects.order_by("state").values_list("state", "reason", "attempts"))
    RuleVersion.objects.filter(rule=broken).update(definition=definition)
    pass_time(80)
    deliver()

    assert first == [("accepted", "", 1), ("planned", "retry", 1)]
    assert sorted(Delivery.objects.values_list("state", "attempts")) == [("accepted", 1), ("accepted", 2)]
    assert Attempt.objects.filter(outcome="retry").exclude(detail="").count() == 1


def test_a_message_that_no_database_can_hold_stops_no_other(source: Source, server: MailServer) -> None:
    words = {"html": '<p>a{{ "%00" | url_decode }}b</p>', "text": ""}
    make_rule("Odd", trigger=ON_CART, template=make_template("Odd", **words).pk)
    make_rule("Good", trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)

    deliver()

    assert len(server.mails) == 2


def test_what_a_run_has_no_time_for_is_given_back(
    source: Source, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)
    monkeypatch.setattr(run, "PATIENCE", 0.0)
    deliver()
    assert (the_delivery()[0], server.mails) == ("planned", [])
    monkeypatch.undo()

    deliver()

    assert len(server.mails) == 1


def test_what_a_paused_rule_holds_is_put_off_until_it_expires_and_costs_no_claim(
    source: Source, server: MailServer
) -> None:
    held = make_rule("Held", trigger=ON_CART, template=make_template("Held").pk)
    make_rule("Good", trigger=ON_CART, template=make_template().pk)
    for user_id in ("ada", "bob", "eve"):
        add_to_cart(source, user_id)
    pause_rule(held)

    while deliver(limit=1).claimed:
        pass

    rows = Delivery.objects.filter(rule_id=held.pk)
    assert len(server.mails) == 3
    assert {(row.state, row.reason, row.due_at == row.expires_at) for row in rows} == {("planned", "rule_paused", True)}


def test_a_resumed_rule_sends_at_once_what_it_held(source: Source, server: MailServer) -> None:
    rule = make_rule(trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)
    pause_rule(rule)
    deliver()
    resume_rule(rule)

    deliver()

    assert len(server.mails) == 1


def test_the_switch_holds_visibly_and_lets_go_of_all_but_the_paused(source: Source, server: MailServer) -> None:
    paused = make_rule("Paused", trigger=ON_CART, template=make_template("Paused").pk)
    make_rule("Good", trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)
    switch = SendingSwitch.objects.create(is_stopped=True)
    deliver()
    assert set(Delivery.objects.values_list("state", "reason")) == {("planned", "sending_stopped")}
    pause_rule(paused)
    switch.is_stopped = False
    switch.save()

    deliver()

    assert len(server.mails) == 1
    assert Delivery.objects.get(rule_id=paused.pk).state == "planned"


def test_what_is_held_past_its_time_is_dropped(source: Source, server: MailServer) -> None:
    rule = make_rule(trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)
    pause_rule(rule)
    deliver()
    pass_time(3700)

    deliver()

    assert the_delivery() == ("dropped", "expired")


def test_what_an_archived_rule_held_is_dropped(source: Source, server: MailServer) -> None:
    rule = make_rule(trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)
    pause_rule(rule)
    deliver()
    archive_rule(rule)

    deliver()

    assert the_delivery() == ("dropped", "rule_archived")


def test_a_hold_that_missed_the_resuming_is_woken_all_the_same(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)
    claimed = claim_due(get_worker().connection, 10)[0]
    Rule.objects.update(state="paused")
    run.deliver_one(get_worker().connection, claimed, get_registry(), {})
    Rule.objects.update(state="active")

    deliver()

    assert len(server.mails) == 1


def test_who_buys_gets_no_mail_from_a_rule_that_starts_on_the_abandonment(source: Source, server: MailServer) -> None:
    make_rule("Detects", trigger=CART)
    make_rule("Mails", trigger={"kind": "event", "event": "cart_abandonment"}, template=make_template().pk)
    add_to_cart(source)
    scan()
    pass_time(3700)
    scan()
    report("purchase", source=source, properties={"cart_id": "c1"})

    deliver()

    assert the_delivery() == ("dropped", "ended")


def test_what_a_client_says_of_a_detector_is_not_believed(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)
    deliver()
    forged = {"detector": {"rule": "nonsense", "armed_seq": None}, "came_back": True}
    report("add_to_cart", source=source, context=forged)
    evaluate()

    deliver()

    assert len(server.mails) == 2


def test_the_address_is_read_after_the_person_is_locked(source: Source, server: MailServer) -> None:
    make_rule(trigger=ON_CART, template=make_template().pk)
    add_to_cart(source)
    with open_connection("test", timeout_ms=20_000) as other, other.transaction():
        other.execute("update profile set traits = jsonb_set(traits, '{email}', '\"new@example.com\"')")
        worker = threading.Thread(target=_deliver_apart)
        worker.start()
        wait_for(_someone_waits)
    worker.join(20)

    assert [mail["To"] for mail in server.mails] == ["new@example.com"]


def _deliver_apart() -> None:
    with open_connection("test-worker", timeout_ms=20_000) as connection:
        deliver_due(connection, get_registry())
    django_connection.close()


def _someone_waits() -> bool:
    waiting = (
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'test-worker'"
    )
    row = get_worker().connection.execute(waiting).fetchone()
    return bool(row and row[0])
