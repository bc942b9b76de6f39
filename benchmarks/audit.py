"""Auditing: the whole log decided again beside production, and compared."""

import time

from benchmarks.stage import Figure
from triggers.audit.compare import audit


def measure() -> list[Figure]:
    """Audit what the parts before this one have left in the log; it must agree."""
    start = time.perf_counter()
    found = audit()
    seconds = time.perf_counter() - start
    assert found.is_clean, (found.missed[:3], found.missed_silences[:3], found.unfounded_silences[:3])
    return [
        Figure(
            work=f"audit of {found.events:,} events, {found.activations:,} activations",
            measured=f"{found.events / seconds:,.0f} events/s",
        )
    ]
