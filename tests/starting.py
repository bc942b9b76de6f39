"""Which tests start a process or a browser: they get the mark `process`, and `make test-fast` leaves them out.

Nobody marks them by hand. A test, its fixtures and the functions of `tests` that these call are searched for what
starts one. A test that hides it from the search fails, in every run, until it says `@pytest.mark.process` itself.
"""

import subprocess
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from engagement.local.postgres import Postgres
from engagement.local.valkey import Valkey

MARK = "process"

_STARTERS = (subprocess, subprocess.Popen, subprocess.run, sync_playwright, Postgres, Valkey)

_found: dict[object, bool] = {}
_start = subprocess.Popen.__init__
_unmarked: str | None = None


def mark_starters(items: Iterable[pytest.Item]) -> None:
    """Mark each test that starts a process."""
    for item in items:
        if isinstance(item, pytest.Function) and any(map(_starts, _list_functions(item))):
            item.add_marker(MARK)


def forbid_starting(item: pytest.Item | None) -> None:
    """From here on no process may be started unless `item` is marked; None allows it again."""
    global _unmarked
    _unmarked = item.nodeid if item is not None and item.get_closest_marker(MARK) is None else None


def _start_if_allowed(self: Any, *arguments: Any, **named: Any) -> None:
    if _unmarked is not None:
        self._child_created = False
        raise AssertionError(f"{_unmarked} starts a process: give it @pytest.mark.{MARK}")
    _start(self, *arguments, **named)


subprocess.Popen.__init__ = _start_if_allowed  # type: ignore[method-assign]


def _list_functions(item: pytest.Function) -> Iterator[object]:
    yield item.function
    for definitions in item._fixtureinfo.name2fixturedefs.values():
        yield from (definition.func for definition in definitions)


def _starts(found: object) -> bool:
    """Say whether something of `tests` names what starts a process, itself or through what it calls."""
    if any(found is starter for starter in _STARTERS):
        return True
    if not str(getattr(found, "__module__", "")).startswith("tests."):
        return False
    if found not in _found:
        # Who calls itself is not asked twice.
        _found[found] = False
        _found[found] = any(map(_starts, _list_used(found)))
    return _found[found]


def _list_used(found: object) -> Iterator[object]:
    if isinstance(found, type):
        yield from (value for value in vars(found).values() if isinstance(value, FunctionType))
        return
    # A context manager and a fixture wrap the function that was written.
    function = getattr(found, "__wrapped__", found)
    if isinstance(function, FunctionType):
        yield from (function.__globals__.get(name) for name in _list_names(function.__code__))


def _list_names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _list_names(constant)
