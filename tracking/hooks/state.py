"""How hooks are doing, from their diary: a few queries however many there are."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db.models import Count, Max, Q, Sum

from tracking.models import HookCount, Quarantined

_COUNTED = timedelta(hours=24)


class HookState(msgspec.Struct, frozen=True, kw_only=True):
    """What came in the last 24 hours, when something came and failed last, and how many payloads wait in quarantine."""

    accepted: int = 0
    ignored: int = 0
    held: int = 0
    failed: int = 0
    received_at: datetime | None = None
    failed_at: datetime | None = None
    failure: str = ""
    waiting: int = 0

    @property
    def is_failing(self) -> bool:
        """Whether the last that came was not believed, or could not be read."""
        return self.failed_at is not None and (self.received_at is None or self.failed_at > self.received_at)


def load_states(hook_ids: Sequence[int], now: datetime) -> dict[int, HookState]:
    """Return the state of each hook."""
    fresh = Q(hour__gt=now - _COUNTED)
    totals = {name: Sum(name, filter=fresh, default=0) for name in ("accepted", "ignored", "held", "failed")}
    rows = HookCount.objects.filter(hook_id__in=hook_ids).values("hook_id")
    counted: dict[int, dict[str, Any]] = {}
    for row in rows.annotate(**totals, received_at=Max("last_received_at"), failed_at=Max("last_failed_at")):
        counted[row["hook_id"]] = {name: value for name, value in row.items() if name != "hook_id"}
    failing = HookCount.objects.filter(hook_id__in=hook_ids, last_failed_at__isnull=False)
    newest = failing.order_by("hook_id", "-hour").distinct("hook_id").values_list("hook_id", "last_failure")
    failures = dict(newest)
    open_rows = Quarantined.objects.filter(hook_id__in=hook_ids, resent_at__isnull=True).values("hook_id")
    waiting = dict(open_rows.annotate(number=Count("id")).values_list("hook_id", "number"))
    return {
        hook_id: HookState(
            **counted.get(hook_id, {}), failure=failures.get(hook_id, ""), waiting=waiting.get(hook_id, 0)
        )
        for hook_id in hook_ids
    }


def load_state(hook_id: int, now: datetime) -> HookState:
    """Return the state of one hook."""
    return load_states([hook_id], now)[hook_id]
