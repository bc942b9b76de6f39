"""Erasing a person: nothing is left, nothing comes back, and nobody else is touched."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.management import call_command

from engagement.lib.ids import read_moment
from tests.cast import CART, deliver, evaluate, make_rule, make_template, report
from tests.mail_server import MailServer
from tests.privacy.conftest import erase, find_mentions
from tracking.erasure.ask import ask_erasure
from tracking.event import (
    DERIVED,
    NewEvent,
    compute_anonymous_profile_id,
    compute_derived_id,
    compute_user_profile_id,
)
from tracking.log.appenders import get_appender
from tracking.log.write import encode_row
from tracking.models import Erasure, Event, EventType, Profile, Quarantined, Source, Tombstone
from tracking.queries import find_events
from triggers.audit.compare import audit
from triggers.erase.carry_out import carry_out
from triggers.models import Activation, Timer
from triggers.worker import get_worker

ADA_ID = compute_user_profile_id("ada-lovelace")
WHO = ("ada-lovelace", "lovelace@example.com", "adas-phone")


def live(source: Source, person: str = "ada-lovelace", device: str = "adas-phone", mail: str = WHO[1]) -> None:
    """Look around, sign in, say the address, leave a cart, buy."""
    report("view", source=source, user_id=None, anonymous_id=device, properties={"page": "/"})
    traits = {"email": mail, "plan": "gold"}
    report("$identify", source=source, user_id=person, anonymous_id=device, properties={"traits": traits})
    report("add_to_cart", source=source, user_id=person, properties={"cart_id": "c1", "email": mail})
    evaluate()
    report("view", source=source, user_id=None, anonymous_id=device)
    report("purchase", source=source, user_id=person, anonymous_id=device, properties={"cart_id": "c2"})
    evaluate()


def test_nothing_is_left_of_a_person_but_hashes(source: Source, server: MailServer) -> None:
    make_rule("Cart", trigger=CART, template=make_template().pk)
    make_rule("Thanks", trigger={"kind": "event", "event": "purchase"}, template=make_template("Thanks").pk)
    live(source)
    deliver()
    assert len(server.mails) == 1
    report("purchase", source=source, user_id="ada-lovelace", properties={"cart_id": "c3"})
    evaluate()
    assert Timer.objects.exists()
    phone = compute_anonymous_profile_id(source.pk, "adas-phone")
    assert find_mentions(*WHO).keys() == set(WHO)

    erasure = erase(ADA_ID)

    assert find_mentions(*WHO, str(ADA_ID), ADA_ID.hex, str(phone), phone.hex) == {}
    assert erasure.completed_at is not None
    assert erasure.counts["event"] >= 6
    assert erasure.counts["messages_not_sent"] == 1
    assert audit().is_clean
    deliver()
    assert len(server.mails) == 1


def test_an_id_that_was_a_propertys_name_is_forgotten(source: Source) -> None:
    said = {"votes": {"ada-lovelace": 1, "l@example.com": 1, "grace": 1}, "likes": [{"ada-lovelace": {"at": 1}}]}
    report("poll_answered", source=source, user_id="ada-lovelace", properties=said)
    report("$identify", source=source, user_id="ada-lovelace", properties={"traits": {"email": "l@example.com"}})
    report("poll_answered", source=source, user_id="grace", properties={"votes": {"by ada-lovelace": 1}, "more": 1})
    evaluate()

    erase(ADA_ID)

    properties = EventType.objects.get(name="poll_answered").properties
    assert sorted(properties) == ["more", "votes.by ada-lovelace", "votes.grace"]
    assert find_mentions("l@example.com") == {}


def test_another_person_with_the_same_history_is_untouched(source: Source, server: MailServer) -> None:
    make_rule("Cart", trigger=CART, template=make_template().pk)
    make_rule("Thanks", trigger={"kind": "event", "event": "purchase"}, template=make_template("Thanks").pk)
    live(source)
    live(source, "grace-hopper", "graces-phone", "hopper@example.com")
    before = sum_up("grace-hopper", "graces-phone", source)

    erase(ADA_ID)

    assert sum_up("grace-hopper", "graces-phone", source) == before
    assert audit().is_clean


def test_a_linked_anonymous_profile_goes_too_whoever_of_the_two_is_named(source: Source) -> None:
    live(source)

    erase(compute_anonymous_profile_id(source.pk, "adas-phone"))

    assert find_mentions(*WHO) == {}
    assert not Event.objects.exists()
    assert not Profile.objects.exists()


def test_a_retry_of_an_event_that_was_erased_brings_nothing_back(source: Source) -> None:
    make_rule("Thanks", trigger={"kind": "event", "event": "purchase"})
    sent: dict[str, Any] = {"message_id": "m1", "timestamp": datetime.now(UTC) - timedelta(minutes=5)}
    first = report("purchase", source=source, user_id="ada-lovelace", **sent)
    without_time = report("purchase", source=source, user_id="ada-lovelace", message_id="m2")
    evaluate()
    erase(ADA_ID)

    again = report("purchase", source=source, user_id="ada-lovelace", **sent)
    report("purchase", source=source, user_id="ada-lovelace", message_id="m2")
    evaluate()

    assert (again.id, without_time.profile_id) == (first.id, ADA_ID)
    assert not Event.objects.exists()
    assert not Profile.objects.exists()
    assert not Activation.objects.exists()
    assert Tombstone.objects.get().returned == 1
    assert audit().is_clean


def test_a_retry_from_a_clock_that_is_ahead_brings_nothing_back_either(source: Source) -> None:
    sent: dict[str, Any] = {"message_id": "m1", "timestamp": datetime.now(UTC) + timedelta(hours=3)}
    report("purchase", source=source, user_id="ada-lovelace", **sent)
    evaluate()
    erase(ADA_ID)

    report("purchase", source=source, user_id="ada-lovelace", **sent)
    report("purchase", source=source, user_id="ada-lovelace", message_id="m2", timestamp=sent["timestamp"])
    evaluate()

    assert [event.message_id for event in Event.objects.all()] == ["m2"]


def test_an_import_of_old_history_brings_nothing_back(source: Source, tmp_path: Path) -> None:
    live(source)
    erase(ADA_ID)
    old = (datetime.now(UTC) - timedelta(days=30)).isoformat()
    path = tmp_path / "history.csv"
    path.write_text(f"user_id,event,timestamp\nada-lovelace,order,{old}\ngrace-hopper,order,{old}\n")

    call_command("import_events", str(path), "--source=Shop", "--no-wait")
    evaluate()

    assert [event.user_id for event in Event.objects.all()] == ["grace-hopper"]
    assert [profile.user_id for profile in Profile.objects.all()] == ["grace-hopper"]


def test_what_comes_again_does_not_count_as_the_new_persons_history(source: Source) -> None:
    never = {"node": "never", "event": "view"}
    make_rule(trigger={"kind": "event", "event": "purchase"}, conditions=never)
    sent: dict[str, Any] = {"message_id": "m1", "timestamp": datetime.now(UTC) - timedelta(minutes=5)}
    report("view", source=source, user_id="ada-lovelace", **sent)
    evaluate()
    erase(ADA_ID)

    report("view", source=source, user_id="ada-lovelace", **sent)
    report("purchase", source=source, user_id="ada-lovelace")
    evaluate()

    assert Activation.objects.count() == 1
    assert audit().is_clean


def test_who_comes_back_is_a_new_person_and_triggers_as_usual(source: Source, server: MailServer) -> None:
    first_time = {"node": "never", "event": "purchase"}
    on_purchase = {"kind": "event", "event": "purchase"}
    make_rule(
        "First", trigger=on_purchase, conditions=first_time, reentry={"kind": "once"}, template=make_template().pk
    )
    live(source)
    deliver()
    erase(ADA_ID)

    live(source)
    deliver()

    assert len(server.mails) == 2
    profile = Profile.objects.get(pk=ADA_ID)
    assert profile.joined.keys() == {compute_anonymous_profile_id(source.pk, "adas-phone").hex}
    assert Event.objects.filter(name="purchase").count() == 1
    assert audit().is_clean


def test_a_second_erasure_takes_the_new_person_too(source: Source) -> None:
    live(source)
    first = erase(ADA_ID)
    live(source)

    second = erase(ADA_ID)

    assert first.pk != second.pk
    assert second.completed_at is not None
    assert find_mentions(*WHO) == {}


def test_what_came_between_two_requests_goes_with_the_second(source: Source) -> None:
    live(source)
    connection = get_worker().connection
    first = ask_erasure(connection, ADA_ID, "test")
    report("view", source=source, user_id="grace-hopper")
    assert ask_erasure(connection, ADA_ID, "test") == first
    report("purchase", source=source, user_id="ada-lovelace", properties={"what": "a late lamp"})

    second = ask_erasure(connection, ADA_ID, "test")
    assert ask_erasure(connection, ADA_ID, "test") == second
    evaluate()

    assert second != first
    assert Erasure.objects.exclude(completed_at=None).count() == 2
    assert find_mentions(*WHO, "a late lamp") == {}
    assert [profile.user_id for profile in Profile.objects.all()] == ["grace-hopper"]


def test_what_is_refused_while_an_erasure_is_not_done_goes_with_the_next(source: Source) -> None:
    live(source)
    connection = get_worker().connection
    first = ask_erasure(connection, ADA_ID, "test")
    with connection.transaction():
        order = next(iter(find_events(connection, [Event.objects.get(name="$erase").pk]).values()))
        assert carry_out(connection, order, piece=1) is False
    Quarantined.objects.create(source=source, received_at=datetime.now(UTC), payload=b"{}", people=[ADA_ID])

    assert ask_erasure(connection, ADA_ID, "test") != first
    evaluate()

    assert not Quarantined.objects.exists()


def test_a_silence_that_a_scan_finds_after_the_erasure_is_not_kept(source: Source) -> None:
    live(source)
    late = Event.objects.filter(profile_id=ADA_ID).latest("seq")
    erase(ADA_ID)

    derived = compute_derived_id("1", ADA_ID, "", late.pk, read_moment(late.pk))
    row = NewEvent(
        id=derived, lane=late.lane, profile_id=ADA_ID, name="session_ended", properties={}, context={}, origin=DERIVED
    )
    get_appender().append([encode_row(row)])
    evaluate()

    assert not Event.objects.exists()
    assert not Profile.objects.exists()


def sum_up(person: str, device: str, source: Source) -> dict[str, object]:
    """Return all that the tables hold of somebody, as digests."""
    ids = [compute_user_profile_id(person), compute_anonymous_profile_id(source.pk, device)]
    digest = "select count(*), md5(coalesce(string_agg(t::text, '' order by t::text), '')) from {} t"
    connection = get_worker().connection
    tables = ("event", "profile", "profile_change", "timer", "activation", "delivery")
    return {
        table: connection.execute(f"{digest.format(table)} where t.{column} = any(%s)".encode(), (ids,)).fetchone()
        for table in tables
        for column in ["id" if table == "profile" else "profile_id"]
    }
