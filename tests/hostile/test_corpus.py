"""Every recorded request, given to every dialect: its own understands it, and none is brought down by another's."""

import pytest

from tests.hostile.corpus import REPORTING, load_requests
from tracking.event import Item, Rejection
from tracking.wire.dialects import DIALECTS, find_dialect
from tracking.wire.request import WireError, WireRequest

REQUESTS = dict(load_requests())
REPORTS = {name: request for name, request in REQUESTS.items() if request.method != "OPTIONS"}
SPOKEN = {
    "segment": {"segment"},
    "rudderstack": {"segment"},
    "mixpanel": {"mixpanel"},
    "ga4mp": {"ga4", "ga4_debug"},
    "ga4": {"ga4_web"},
    "posthog": {"posthog"},
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_recorded_request_is_known_for_what_it_is_and_understood(name: str) -> None:
    request = REPORTS[name]
    dialect = find_dialect(request)

    assert dialect.name in SPOKEN[name.partition("_")[0].partition("-")[0]]
    refused = [item for item in dialect.read(request).items if isinstance(item, Rejection)]
    # Erasing a person is no event.
    assert [one for one in refused if one.code != "use_erasure"] == []


@pytest.mark.parametrize("path", REPORTING)
def test_each_address_bears_what_is_meant_for_any_other(path: str) -> None:
    for name, request in REPORTS.items():
        moved = WireRequest(method="POST", path=path, query=request.query, headers=request.headers, body=request.body)
        dialect = find_dialect(moved)
        try:
            items = dialect.read(moved).items
        except WireError as refusal:
            error = refusal
        else:
            assert all(isinstance(item, Item | Rejection) for item in items), name
            continue
        assert error.code
        assert {400 <= status < 500 for status in (error.status, dialect.refuse(moved, error).status)} == {True}, name


def test_the_corpus_holds_every_dialect() -> None:
    spoken = {find_dialect(request).name for request in REPORTS.values()}
    assert {dialect.partition("_")[0] for dialect in DIALECTS} - {"native"} <= {one.partition("_")[0] for one in spoken}
