"""The interpreter, told what kind of process this is."""

import ctypes
import gc
import resource
import sys

_THRESHOLDS = (50_000, 20, 20)
_SWITCH_SECONDS = 0.001
_OPEN_FILES = 65_536
# `mallopt(3)` of the C library of GNU: which blocks have a mapping of their own, and how much free heap is kept.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGE_BLOCK = 2 * 1_024 * 1_024
_KEPT_FREE = 8 * 1_024 * 1_024


def tune_interpreter() -> None:
    """Collect garbage rarely, never look at what was loaded at the start, and let threads take turns quickly.

    A batch makes thousands of small objects that reference counting frees; by default the collector looks at them, and
    at the whole of Django, again and again: a third of the time that a large request took. And a thread that has its
    answer from the database waits up to five milliseconds for one that parses: as long as the database itself took.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    sys.setswitchinterval(_SWITCH_SECONDS)
    give_back_large_blocks()


def give_back_large_blocks() -> None:
    """Have what a large request took go back to the system as soon as it is answered.

    By default the first large block that is freed raises the limit from which a block has a mapping of its own, up to
    32 MB: the next ones lie in the heap, where they leave holes and are copied while they grow. A text of five MB then
    takes up to 75 MB of memory rather than 45, and much of it is never given back. Does nothing with another C library.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_MMAP_THRESHOLD, _LARGE_BLOCK)
        set_option(_M_TRIM_THRESHOLD, _KEPT_FREE)


def raise_file_limit() -> None:
    """Allow as many open sockets as the system lets us: by default often no more than a thousand files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
