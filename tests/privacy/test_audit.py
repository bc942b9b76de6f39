"""Whoever reads the log while somebody is erased: an audit counts it, and others leave it out."""

from functools import partial
from typing import Any

import pytest
from django.core.management import call_command

from tests.cast import ADA, evaluate, make_rule, report
from tests.privacy.conftest import erase
from tracking.erasure.ask import ask_erasure
from tracking.erasure.tombstones import load_tombstones, split_erased
from tracking.event import compute_user_profile_id
from tracking.log.read import load_positions, read_span
from tracking.models import Event, Source
from triggers.audit.compare import audit
from triggers.audit.replay import Replay
from triggers.erase.carry_out import carry_out
from triggers.evaluate import run as evaluate_run
from triggers.models import Activation
from triggers.worker import get_worker

ADA_ID = compute_user_profile_id(ADA)


def test_an_erasure_in_the_middle_of_an_audit_is_counted_as_erased(
    source: Source, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_rule(trigger={"kind": "event", "event": "purchase"})
    for person in (ADA, "bob"):
        report("purchase", source=source, user_id=person)
    evaluate()
    run = Replay.run

    def erase_first(self: Replay) -> Any:
        if Event.objects.filter(profile_id=ADA_ID).exists():
            erase(ADA_ID)
        yield from run(self)

    monkeypatch.setattr(Replay, "run", erase_first)

    found = audit()

    assert (found.is_clean, found.erased, found.activations) == (True, 1, 1)


def test_an_erasure_that_has_begun_is_counted_as_erased_too(
    source: Source, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_rule(trigger={"kind": "event", "event": "purchase"})
    for _ in range(4):
        report("purchase", source=source)
    evaluate()
    ask_erasure(get_worker().connection, ADA_ID, "test")
    # All decisions go with the first piece, of the log only a part.
    monkeypatch.setattr(evaluate_run, "carry_out", partial(carry_out, piece=3))
    get_worker().evaluator.run_pass()
    assert (Activation.objects.count(), Event.objects.filter(name="purchase").count()) == (1, 1)
    Activation.objects.all().delete()

    call_command("audit")

    assert "1 activations are of people who were erased meanwhile" in capsys.readouterr().out


def test_a_reader_that_holds_events_in_its_hands_is_told_which_are_erased(source: Source) -> None:
    report("view", source=source)
    report("view", source=source, user_id="bob")
    evaluate()
    connection = get_worker().connection
    events = read_span(connection, load_positions(connection, "evaluator"), 0, 1 << 62)
    erase(ADA_ID)

    alive, erased, marked = split_erased(connection, events)

    assert [event.user_id for event in alive] == ["bob"]
    assert [event.user_id for event in erased] == [ADA]
    assert marked == {ADA_ID}
    assert load_tombstones(connection, [ADA_ID])[ADA_ID].covers(erased[0].id)
