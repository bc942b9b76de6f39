"""The whole way, on what `make run` starts: from a request to the mail server, and at rest."""

import json
import os
import threading
import time
from pathlib import Path
from statistics import quantiles
from uuid import uuid4

from benchmarks.stage import Figure
from tests.live import LivePlatform, list_family, start_platform, wait_for

MAKE_RULE = """
from triggers.models import *
from triggers.lifecycle import activate_rule
template = Template.objects.create(name="Bench")
TemplateVersion.objects.create(template=template, number=1, subject="{{ event.number }}", html="<p>x</p>", text="x")
definition = {"format": 1, "trigger": {"kind": "event", "event": "mailed"}, "template": template.pk}
activate_rule(Rule.objects.create(name="Bench", definition=definition))
"""


def measure() -> list[Figure]:
    """Measure the way to the mail at 100 and at 1,000 events a second, and the cost of doing nothing."""
    platform = start_platform()
    try:
        idle = _measure_idle(platform)
        keys = json.loads(platform.manage("source", "add", "Bench").strip().splitlines()[-1])
        platform.manage("shell", "-v", "0", "-c", MAKE_RULE)
        key = keys["secret_key"]
        people = [{"user_id": f"u{n}", "traits": {"email": f"u{n}@example.com"}} for n in range(50)]
        for person in people:
            platform.post("/v1/identify", person, Authorization=f"Bearer {key}")
        slow = _measure_mails(platform, key, rate=100, seconds=10, target="p50 < 150 ms, p95 < 1 s")
        fast = _measure_mails(platform, key, rate=1000, seconds=10, target="p95 < 2 s")
    finally:
        platform.stop()
    return [slow, fast, idle]


def _measure_mails(platform: LivePlatform, key: str, *, rate: int, seconds: int, target: str) -> Figure:
    """Send ten batches a second; every tenth event starts a mail. A mail's arrival is its file's time."""
    inbox = platform.state / "inbox" / "new"
    known = set(os.listdir(inbox)) if inbox.exists() else set()
    sent: dict[str, float] = {}
    size = rate // 10
    start = time.monotonic()
    for turn in range(10 * seconds):
        time.sleep(max(0.0, start + turn / 10 - time.monotonic()))
        threading.Thread(target=_send, args=(platform, key, size, sent)).start()
    expected = seconds * rate // 10
    wait_for(lambda: len(os.listdir(inbox)) - len(known) >= expected, patience=90)
    delays = []
    for name in set(os.listdir(inbox)) - known:
        path = inbox / name
        subject = next(line for line in path.read_text().splitlines() if line.startswith("Subject:"))
        delays.append(path.stat().st_mtime - sent[subject.removeprefix("Subject:").strip()])
    cuts = quantiles(delays, n=100)
    return Figure(
        work=f"event to SMTP hand-over at {rate:,} events/s, a mail for every tenth: p50 / p95",
        measured=f"{cuts[49] * 1000:.0f} / {cuts[94] * 1000:.0f} ms",
        target=target,
    )


def _send(platform: LivePlatform, key: str, size: int, sent: dict[str, float]) -> None:
    events = []
    for number in range(size):
        token = uuid4().hex[:12]
        name = "mailed" if number % 10 == 0 else "seen"
        if name == "mailed":
            sent[token] = time.time()
        user_id = f"u{number % 50}"
        events.append({"event": name, "user_id": user_id, "message_id": token, "properties": {"number": token}})
    status, _ = platform.post("/v1/events", {"events": events}, Authorization=f"Bearer {key}")
    assert status == 202, status


def _measure_idle(platform: LivePlatform, seconds: float = 15.0) -> Figure:
    time.sleep(5)
    before = _read_ticks(platform)
    time.sleep(seconds)
    share = (_read_ticks(platform) - before) / os.sysconf("SC_CLK_TCK") / seconds
    memory = sum(_read_memory(pid) for pid, _ in _list(platform)) / 1024
    return Figure(
        work="all that `make run` starts, idle: memory (proportional) and processor",
        measured=f"{memory:,.0f} MB, {share:.1%} of a core",
        target="< 1 GB, < 5 %",
    )


def _list(platform: LivePlatform) -> list[tuple[int, str]]:
    return [(platform.process.pid, ""), *list_family(platform.process.pid)]


def _read_ticks(platform: LivePlatform) -> int:
    total = 0
    for pid, _ in _list(platform):
        fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total


def _read_memory(pid: int) -> int:
    for line in (Path("/proc") / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0
