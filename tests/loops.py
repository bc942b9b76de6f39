"""Coroutines in a process where the browser's library may already run a loop in this thread."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


def run_beside(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine on a loop of its own, in a thread of its own."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, coroutine).result()
