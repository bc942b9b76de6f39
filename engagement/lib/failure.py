"""What a log may say of an exception: its words may repeat somebody's address, its kind and its place do not."""

import traceback
from pathlib import Path


def locate(error: BaseException) -> str:
    """Return the kind of an exception and the line that raised it, such as `ValueError at liquid.py:80`."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + place
