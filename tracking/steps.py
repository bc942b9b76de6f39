"""A request's work as steps: whatever waits for somebody else is yielded, so that threads and an event loop run the
same code.

A generator of steps yields `Append` or `Blocking` and is sent the result; what fails is thrown into it where it waits.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

import msgspec

from tracking.log.append import Appender
from tracking.log.write import Row

Result = TypeVar("Result")


class Append(msgspec.Struct, frozen=True):
    """Write rows; the result is a list of outcomes, after the commit."""

    appender: Appender
    rows: Sequence[Row]

    def run(self) -> Any:
        """Wait for the commit in this thread."""
        return self.appender.append(self.rows)


class Blocking(msgspec.Struct, frozen=True):
    """Ask Valkey or PostgreSQL: a call that must not run on an event loop."""

    call: Callable[[], Any]

    def run(self) -> Any:
        """Call it in this thread."""
        return self.call()


Step = Append | Blocking
Steps = Generator[Step, Any, Result]


class Done(msgspec.Struct, frozen=True):
    """The steps are over, with this result."""

    result: Any


def advance(steps: Steps[Any], result: Any = None, error: Exception | None = None) -> Step | Done:
    """Go on to the next step with the result of the last one, or with its error."""
    try:
        return steps.throw(error) if error is not None else steps.send(result)
    except StopIteration as stop:
        return Done(stop.value)


def run_steps(steps: Steps[Result]) -> Result:
    """Run all steps in this thread and return their result."""
    step = advance(steps)
    while not isinstance(step, Done):
        try:
            result = step.run()
        except Exception as error:
            step = advance(steps, error=error)
        else:
            step = advance(steps, result)
    return step.result  # type: ignore[no-any-return]
