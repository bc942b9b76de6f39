"""The cyclic garbage collector, told what kind of process this is."""

import gc

_THRESHOLDS = (50_000, 20, 20)


def calm_collector() -> None:
    """Collect rarely, and never look at what was loaded at the start.

    A batch makes thousands of small objects that reference counting frees; by default the collector looks at them, and
    at the whole of Django, again and again: a third of the time that a large request took.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
