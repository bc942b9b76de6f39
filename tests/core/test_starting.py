"""A test that starts a process cannot get into `make test-fast`."""

import importlib
import sys

import pytest

from tests.starting import MARK, mark_starters


def test_the_tests_that_start_nothing_stay_unmarked(request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker(MARK) is None


@pytest.mark.parametrize("fixture", ["live_platform", "browser"])
def test_a_test_with_a_fixture_that_starts_something_is_marked(request: pytest.FixtureRequest, fixture: str) -> None:
    definition = request._fixturemanager.getfixturedefs(fixture, request.node)
    assert definition is not None
    item = pytest.Function.from_parent(request.node.parent, name="late", callobj=lambda: None)
    item._fixtureinfo.name2fixturedefs[fixture] = definition

    mark_starters([item])

    assert item.get_closest_marker(MARK) is not None


def test_a_process_that_an_unmarked_test_starts_fails_it() -> None:
    # By another name than the search knows.
    hidden = importlib.import_module("sub" + "process")

    with pytest.raises(AssertionError, match="starts a process"):
        hidden.run([sys.executable, "-c", ""])
