"""The audit: a replay computes what production stored, and names what was missed or made up."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.cast import ADA, CART, evaluate, make_rule, pass_time, report, scan
from tracking.event import DERIVED, IMPORT, compute_user_profile_id
from tracking.log.horizon import record_tick
from tracking.log.read import LoggedEvent
from tracking.models import ProfileChange, Source
from triggers.audit import replay
from triggers.audit.compare import audit
from triggers.evaluate.batch import Batch
from triggers.lifecycle import activate_rule, pause_rule, resume_rule
from triggers.models import Activation, Rule
from triggers.worker import get_worker

TABLES = ("profile", "timer", "activation", "delivery", "event", "lane_cursor", "profile_change", "set_aside")


def sum_up() -> dict[str, object]:
    """Return a digest of every table of production."""
    digest = "select md5(coalesce(string_agg(t::text, '' order by t::text), '')) from public.{} t"
    connection = get_worker().connection
    return {table: connection.execute(digest.format(table).encode()).fetchone() for table in TABLES}


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def live_a_while(source: Source) -> Rule:
    """Carts, sign-ins, versions, pauses: whatever a decision may depend on."""
    rule = make_rule("Every purchase", trigger={"kind": "event", "event": "purchase"}, reentry={"kind": "once"})
    make_rule("Cart", trigger=CART)
    make_rule("Session", trigger={"kind": "session_end", "after": 900})
    make_rule(
        "Third view",
        trigger={"kind": "event", "event": "view"},
        conditions={"node": "count", "event": "view", "within": 7200, "operator": "ge", "value": 2},
    )
    for person in (ADA, "bob", "eve"):
        report("view", source=source, user_id=None, anonymous_id=f"{person}-phone")
        report("add_to_cart", source=source, user_id=None, anonymous_id=f"{person}-phone", properties={"cart_id": "c"})
        report("view", source=source, user_id=person, anonymous_id=f"{person}-phone")
        report("view", source=source, user_id=person)
    evaluate()
    pass_time(1000)
    scan()
    report("purchase", source=source, user_id="bob", properties={"cart_id": "c"})
    report("purchase", source=source, user_id="bob", properties={"cart_id": "c"})
    pause_rule(rule)
    report("purchase", source=source, user_id="eve", properties={"cart_id": "other"})
    resume_rule(rule)
    pass_time(3000)
    report("view", source=source)
    report("purchase", source=source, user_id=None, anonymous_id="bob-phone")
    pass_time(7200)
    scan()
    scan()
    return rule


def test_a_replay_computes_what_production_stored_and_writes_nothing(source: Source) -> None:
    live_a_while(source)
    before = sum_up()
    found = audit()
    assert found.is_clean, found
    assert found.activations == Activation.objects.count() > 10
    assert sum_up() == before


def test_a_missed_trigger_is_named(source: Source) -> None:
    rule = live_a_while(source)
    lost = Activation.objects.filter(rule_id=rule.pk).order_by("event_seq").first()
    assert lost is not None
    Activation.objects.filter(pk=lost.pk).delete()
    found = audit()
    assert [one.id for one in found.missed] == [lost.id]
    assert found.unfounded == []


def test_an_activation_that_follows_from_nothing_is_named(source: Source) -> None:
    live_a_while(source)
    made_up = Activation.objects.order_by("event_seq").last()
    assert made_up is not None
    made_up.id = made_up.event_id
    made_up.is_once = False
    made_up.save(force_insert=True)
    found = audit()
    assert [one.id for one in found.unfounded] == [made_up.id]
    assert found.missed == []


@pytest.mark.parametrize(
    "trigger",
    [
        {"kind": "session_end", "after": 900},
        {"kind": "inactivity", "after": 900},
        {"kind": "inactivity", "event": "add_to_cart", "after": 900},
        CART | {"after": 900},
    ],
)
@pytest.mark.parametrize("returns", [False, True])
def test_a_silence_that_was_never_found_is_named(source: Source, trigger: dict[str, Any], returns: bool) -> None:
    rule = make_rule("Quiet", trigger=trigger)
    last = report("add_to_cart", source=source, properties={"cart_id": "c"})
    report("add_to_cart", source=source, user_id="bob", properties={"cart_id": "c"})
    report("add_to_cart", source=source, user_id="eve", origin=IMPORT, properties={"cart_id": "c"}, timestamp=ago(60))
    evaluate()
    pass_time(2000)
    scan()
    assert (audit().is_clean, audit().silences) == (True, 3)
    if returns:
        report("add_to_cart", source=source, properties={"cart_id": "c"})
        evaluate()
    get_worker().connection.execute("delete from event where origin = 2 and user_id <> 'bob'")
    Activation.objects.exclude(profile_id=compute_user_profile_id("bob")).delete()

    found = audit()

    assert not found.is_clean
    assert (len(found.missed_silences), found.unfounded_silences, found.missed) == (2, [], [])
    missed = next(one for one in found.missed_silences if one.last_event_id == last.id)
    assert (missed.rule_id, missed.profile_id) == (rule.pk, last.profile_id)
    with pytest.raises(CommandError, match="silences in the log are not what follows"):
        call_command("audit")


def test_a_silence_that_is_not_due_to_be_found_yet_is_not_missed(source: Source) -> None:
    make_rule(trigger={"kind": "session_end", "after": 900})
    make_rule("Cart", trigger=CART | {"after": 900})
    report("add_to_cart", source=source, properties={"cart_id": "c"})
    evaluate()
    pass_time(905)
    record_tick(get_worker().connection)
    evaluate()

    assert audit().is_clean


def test_waits_that_were_armed_from_the_log_are_audited_too(source: Source) -> None:
    report("add_to_cart", source=source, properties={"cart_id": "c"})
    report("add_to_cart", source=source, user_id="bob", properties={"cart_id": "c"})
    report("purchase", source=source, user_id="bob", properties={"cart_id": "c"})
    evaluate()
    pass_time(3700)
    rule = Rule.objects.create(name="Cart", definition={"format": 1, "trigger": CART})
    activate_rule(rule, include_past=True)
    assert scan() == 1
    assert audit().is_clean
    get_worker().connection.execute("delete from event where origin = 2")
    Activation.objects.all().delete()
    pass_time(100)
    scan()

    assert [one.profile_id for one in audit().missed_silences] == [compute_user_profile_id(ADA)]


def test_a_silence_of_somebody_who_was_active_is_named(source: Source) -> None:
    make_rule(trigger={"kind": "session_end", "after": 900})
    make_rule("Cart", trigger=CART | {"after": 900})
    report("add_to_cart", source=source, properties={"cart_id": "c"})
    evaluate()
    pass_time(1000)
    scan()
    report("view", source=source)
    report("purchase", source=source, properties={"cart_id": "c"})
    evaluate()
    pass_time(10)
    get_worker().connection.execute(
        "update event set seq = nextval('event_seq_seq'), occurred_at = clock_timestamp() where origin = 2"
    )
    evaluate()

    assert len(audit().unfounded_silences) == 2


def test_a_silence_whose_id_does_not_follow_from_its_cause_is_named(source: Source) -> None:
    rule = make_rule(trigger={"kind": "session_end", "after": 900})
    last = report("view", source=source)
    detector = {"rule": rule.pk, "key": "", "armed_event": str(last.id), "armed_seq": 1, "armed_at": "2026-01-01"}
    made_up = report("session_ended", source=source, origin=DERIVED, context={"detector": detector})
    evaluate()

    assert [one.event_id for one in audit().unfounded_silences] == [made_up.id]


def test_what_is_not_decided_yet_is_not_missed(source: Source) -> None:
    make_rule(trigger={"kind": "event", "event": "purchase"})
    report("purchase", source=source)
    evaluate()
    report("purchase", source=source)
    assert audit().is_clean
    assert audit().activations == 1


def test_a_version_that_is_no_more_decides_what_it_decided(source: Source) -> None:
    rule = make_rule(trigger={"kind": "event", "event": "purchase"})
    report("purchase", source=source)
    rule.definition = rule.definition | {"trigger": {"kind": "event", "event": "refund"}}
    rule.save()
    activate_rule(rule)
    report("purchase", source=source)
    report("refund", source=source)
    evaluate()
    assert audit().is_clean
    assert audit().activations == 2


def test_an_event_that_was_set_aside_is_left_out_of_a_replay_too(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_rule(trigger={"kind": "event", "event": "purchase"})
    match = Batch._match

    def fail_on_poison(self: Batch, event: LoggedEvent, *rest: Any) -> None:
        if event.properties.get("poison"):
            raise ZeroDivisionError("poison")
        match(self, event, *rest)

    monkeypatch.setattr(Batch, "_match", fail_on_poison)
    report("purchase", source=source, properties={"poison": True})
    report("purchase", source=source)
    evaluate()
    monkeypatch.undo()
    found = audit()
    assert found.is_clean
    assert (found.activations, found.set_aside) == (1, 1)


def test_who_somebody_is_outlives_the_log(source: Source) -> None:
    make_rule(
        trigger={"kind": "event", "event": "purchase"},
        conditions={"node": "compare", "field": {"from": "profile", "path": "plan"}, "operator": "is", "value": "gold"},
    )
    report("$identify", source=source, properties={"traits": {"plan": "gold"}})
    evaluate()
    report("purchase", source=source)
    evaluate()
    get_worker().connection.execute("delete from event where name = '$identify'")
    assert ProfileChange.objects.count() == 1
    found = audit()
    assert found.is_clean
    assert found.activations == 1


def test_a_replay_counts_what_a_person_was_told_by_operators_as_production_did(source: Source) -> None:
    make_rule(
        trigger={"kind": "event", "event": "purchase"},
        conditions={"node": "compare", "field": {"from": "profile", "path": "logins"}, "operator": "is", "value": 2},
    )
    events = []
    for name in ("$identify", "purchase", "$identify", "purchase"):
        said = {"traits": {}, "add": {"logins": 1}} if name == "$identify" else {}
        events.append(report(name, source=source, properties=said))
        evaluate()
    assert (audit().is_clean, audit().activations) == (True, 1)
    outlived = [event.id for event in events[:3]]
    get_worker().connection.execute("delete from event where id = any(%s)", (outlived,))
    assert (audit().is_clean, audit().activations) == (True, 1)


def test_what_outlived_the_log_is_read_in_pieces(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    reach = {"node": "compare", "field": {"from": "profile", "path": "logins"}, "operator": "is", "value": 7}
    make_rule(trigger={"kind": "event", "event": "purchase"}, conditions=reach)
    for person in ("ada", "grace"):
        for _ in range(7):
            report("$identify", source=source, user_id=person, properties={"traits": {}, "add": {"logins": 1}})
        report("purchase", source=source, user_id=person)
    evaluate()
    get_worker().connection.execute("delete from event where name = '$identify'")
    monkeypatch.setattr(replay, "SPAN", 3)
    decided: list[int] = []
    decide = replay.Replay._decide_lanes

    def count(self: replay.Replay, events: Sequence[LoggedEvent]) -> None:
        decided.append(len(events))
        decide(self, events)

    monkeypatch.setattr(replay.Replay, "_decide_lanes", count)
    found = audit()

    assert (found.is_clean, found.activations) == (True, 2)
    assert decided[:5] == [3, 3, 3, 3, 2]


def test_what_a_device_was_told_about_its_owner_outlives_the_log_too(source: Source) -> None:
    gold = {"node": "compare", "field": {"from": "profile", "path": "plan"}, "operator": "is", "value": "gold"}
    make_rule(trigger={"kind": "event", "event": "purchase"}, conditions=gold)
    report("view", source=source, user_id=None, anonymous_id="phone")
    report("view", source=source, anonymous_id="phone")
    evaluate()
    report("$identify", source=source, user_id=None, anonymous_id="phone", properties={"traits": {"plan": "gold"}})
    report("view", source=source, user_id=None, anonymous_id="phone")
    evaluate()
    report("purchase", source=source)
    evaluate()
    assert Activation.objects.count() == 1
    kept = ProfileChange.objects.count()
    get_worker().connection.execute("delete from event where name <> 'purchase'")

    assert audit().is_clean
    assert audit().activations == 1
    assert kept == 4, "linked, adopted, identify and the pointer to it; what was viewed is not kept for longer"


def test_what_followed_from_events_that_retention_took_counts_and_is_not_called_unfounded(source: Source) -> None:
    make_rule(trigger={"kind": "event", "event": "purchase"}, reentry={"kind": "once"})
    report("view", source=source)
    first = report("purchase", source=source)
    evaluate()
    report("purchase", source=source)
    evaluate()
    get_worker().connection.execute("delete from event where id = %s", (first.id,))

    found = audit()

    assert found.is_clean, found
    assert found.activations == 0


def test_the_command_says_what_it_found_and_fails_on_a_difference(
    source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = make_rule("Thanks", trigger={"kind": "event", "event": "purchase"})
    report("purchase", source=source)
    evaluate()
    call_command("audit")
    assert "1 activations follow from them" in capsys.readouterr().out
    Activation.objects.filter(rule_id=rule.pk).delete()
    with pytest.raises(CommandError, match="not what follows"):
        call_command("audit")
    assert "“Thanks”" in capsys.readouterr().out
    with pytest.raises(CommandError, match="not what follows"):
        call_command("audit", json=True)
    assert len(json.loads(capsys.readouterr().out)["missed"]) == 1
