"""How much the process grows while it answers."""

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path

MAX_GROWTH = 64_000_000
"""By how many bytes a single request may make the process grow."""

_libc = ctypes.CDLL(None)


class watch_memory:
    """Measure by how much the process grew at most: `with watch_memory() as read_growth`, then `read_growth()`."""

    def __enter__(self) -> Callable[[], int]:
        gc.collect()
        # What is free already would take in what this request needs, and none of it would be seen.
        _libc.malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
        self.before = _read_kilobytes("VmRSS")
        return lambda: self.growth

    def __exit__(self, *_: object) -> None:
        self.growth = (_read_kilobytes("VmHWM") - self.before) * 1_024


def _read_kilobytes(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise AssertionError(name)
