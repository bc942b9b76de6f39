"""What the stories of what comes in share."""

from typing import Any

import pytest

from tracking.limits.limit import make_limits


@pytest.fixture
def slow_buckets(log: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have buckets fill a thousand times slower: however long a test takes, what is used up stays so."""

    def make_slow(rates: Any) -> Any:
        return make_limits({subject: (rate / 1_000, burst) for subject, (rate, burst) in rates.items()})

    monkeypatch.setattr("tracking.registry.make_limits", make_slow)
