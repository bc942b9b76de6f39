"""What the tests with harmful bodies share."""

import gc
from collections.abc import Iterator

import pytest

from engagement.lib.interpreter import give_back_large_blocks


@pytest.fixture(scope="module", autouse=True)
def like_a_web_process() -> Iterator[None]:
    """Handle memory as a web process does: large blocks go back, and no collection looks at what was there before."""
    give_back_large_blocks()
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
