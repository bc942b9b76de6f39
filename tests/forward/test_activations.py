"""Activations are told once each, wherever in the log they were decided."""

import pytest

from engagement.lib.ids import compute_lane
from tests.cast import evaluate, make_rule, report
from tests.forward.conftest import MakeDestination, forward
from tests.other_side import OtherSide
from tracking.event import compute_anonymous_profile_id, compute_user_profile_id
from tracking.log.appenders import get_appender
from tracking.models import Source
from tracking.queries import find_events
from tracking.set_aside import decide_again
from triggers.evaluate.batch import Batch
from triggers.models import Activation
from triggers.worker import get_worker


def list_told(other_side: OtherSide) -> list[str]:
    return sorted(request.json["data"]["id"] for request in other_side.taken)


def list_activations() -> list[str]:
    return sorted(str(identifier) for identifier in Activation.objects.values_list("id", flat=True))


def step(is_prompt: bool) -> None:
    """Decide; and, where copies are prompt, tell at once."""
    evaluate()
    if is_prompt:
        forward()


def test_an_activation_says_which_rule_matched_whom_because_of_what(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    rule = make_rule("Bought", trigger={"kind": "event", "event": "purchase"})
    make_destination(events="none", activations="all")
    event = report("purchase", source=source)
    evaluate()
    forward()
    message = other_side.taken[0].json
    activation = Activation.objects.get()
    assert message["type"] == "activation"
    expected = {
        "rule": "Bought",
        "rule_id": rule.pk,
        "event_name": "purchase",
        "event_id": str(event.id),
        "user_id": "ada",
    }
    assert expected.items() <= message["data"].items()
    assert message["data"]["id"] == str(activation.pk) == other_side.taken[0].headers["webhook-id"]


def test_only_the_chosen_rules_are_told(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    chosen = make_rule("Chosen", trigger={"kind": "event", "event": "purchase"})
    make_rule("Other", trigger={"kind": "event", "event": "purchase"})
    make_destination(events="none", activations="some", rule_ids=[chosen.pk])
    report("purchase", source=source)
    evaluate()
    forward()
    assert [request.json["data"]["rule"] for request in other_side.taken] == ["Chosen"]


def find_anonymous(source: Source, user_id: str, *, same_lane: bool) -> str:
    """Return an anonymous id whose profile is, or is not, in the lane of a user."""
    lane = compute_lane(compute_user_profile_id(user_id))
    candidates = (f"visitor-{number}" for number in range(10_000))
    return next(
        one for one in candidates if (compute_lane(compute_anonymous_profile_id(source.pk, one)) == lane) is same_lane
    )


@pytest.mark.parametrize("is_prompt", [True, False])
@pytest.mark.parametrize("same_lane", [True, False])
def test_what_a_visitor_did_who_signed_in_is_told_once(
    source: Source, other_side: OtherSide, make_destination: MakeDestination, is_prompt: bool, same_lane: bool
) -> None:
    make_rule(trigger={"kind": "event", "event": "purchase"})
    make_destination(events="none", activations="all")
    visitor = find_anonymous(source, "ada", same_lane=same_lane)
    report("purchase", source=source, user_id=None, anonymous_id=visitor)
    step(is_prompt)
    report("$identify", source=source, anonymous_id=visitor)
    step(is_prompt)
    # Decided in Ada's lane, by a pointer to an event with a lower number than her cursor may have.
    report("purchase", source=source, user_id=None, anonymous_id=visitor)
    report("purchase", source=source)
    step(is_prompt)
    forward()
    assert len(list_activations()) == 3
    assert list_told(other_side) == list_activations()


@pytest.mark.parametrize("is_prompt", [True, False])
def test_what_was_set_aside_and_decided_again_is_told_once(
    source: Source,
    other_side: OtherSide,
    make_destination: MakeDestination,
    monkeypatch: pytest.MonkeyPatch,
    is_prompt: bool,
) -> None:
    make_rule(trigger={"kind": "event", "event": "purchase"})
    make_destination(events="none", activations="all")

    def fail(*_: object) -> None:
        raise ValueError("poison")

    with monkeypatch.context() as patched:
        patched.setattr(Batch, "decide", fail)
        event = report("purchase", source=source)
        step(is_prompt)
    decide_again(get_appender(), list(find_events(get_worker().connection, [event.id]).values()))
    step(is_prompt)
    forward()
    assert len(list_activations()) == 1
    assert list_told(other_side) == list_activations()


def test_copies_wait_for_what_is_not_decided_yet(
    source: Source, other_side: OtherSide, make_destination: MakeDestination
) -> None:
    make_rule(trigger={"kind": "event", "event": "purchase"})
    make_destination(activations="all")
    evaluate()
    report("purchase", source=source)
    forward()
    assert other_side.heard == []
    evaluate()
    forward()
    assert [request.json["type"] for request in other_side.taken] == ["event", "activation"]
