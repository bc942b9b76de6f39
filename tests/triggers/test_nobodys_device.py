"""A device that too many share decides for itself again: no lane counts by chance what it does then."""

import time

import pytest

from engagement.lib.ids import compute_lane
from tests.cast import evaluate, make_rule, make_source, report
from tracking.event import compute_anonymous_profile_id, compute_user_profile_id
from tracking.log.read import load_bound
from triggers.audit.compare import audit
from triggers.evaluate import linking
from triggers.evaluate.run import PassReport
from triggers.models import Activation
from triggers.worker import get_worker


def run_lane(lane: int) -> None:
    """Decide one lane only, as when another worker is slower with the others."""
    evaluator = get_worker().evaluator
    evaluator.book.refresh(evaluator.connection)
    evaluator._run_lane(lane, load_bound(evaluator.connection), time.monotonic() + 20, PassReport())


@pytest.mark.parametrize("is_device_faster", [True, False])
def test_what_a_device_of_nobody_does_limits_no_former_owner_whichever_lane_is_faster(
    log: None, monkeypatch: pytest.MonkeyPatch, is_device_faster: bool
) -> None:
    monkeypatch.setattr(linking, "MAX_PERIODS", 1)
    make_rule("View", trigger={"kind": "event", "event": "view"}, reentry={"kind": "after", "seconds": 1500})
    source = make_source()
    device = compute_lane(compute_anonymous_profile_id(source.pk, "phone"))
    ada, bob = (compute_lane(compute_user_profile_id(name)) for name in ("ada", "bob"))
    for name in ("ada", "bob"):
        report("login", source=source, user_id=name, anonymous_id="phone")
        evaluate()
    report("login", source=source, user_id="ada", anonymous_id="phone")
    run_lane(ada)
    report("view", source=source, user_id=None, anonymous_id="phone")
    report("view", source=source, user_id="bob")

    for lane in (device, bob) if is_device_faster else (bob, device):
        run_lane(lane)
    evaluate()

    found = audit()
    assert Activation.objects.count() == 2
    assert (found.missed, found.unfounded) == ([], [])
