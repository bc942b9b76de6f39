"""The interpreter, told what kind of process this is."""

import gc
import sys

_THRESHOLDS = (50_000, 20, 20)
_SWITCH_SECONDS = 0.001


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
