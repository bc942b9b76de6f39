"""Liquid in a sandbox: a marketer is trusted with words, not with code. Pure."""

from functools import lru_cache

from liquid import BoundTemplate, Environment

from triggers.render.dates import format_date
from triggers.render.limits import BoundedContext
from triggers.render.outputs import PLAIN_TAGS, STRICT_TAGS

MAX_LENGTH = 200_000
MAX_SOURCE = 100_000
_BANNED_TAGS = ("include", "render", "extends", "block")
_BANNED_FILTERS = ("safe", "escapejs")
"""`safe` would let what a stranger typed into a page become HTML of a mail; there is no script in a mail."""


class SandboxTemplate(BoundTemplate):
    """A template whose renders are counted."""

    context_class = BoundedContext


class Sandbox(Environment):
    """An environment with limits. With `is_strict` an empty place raises MissingVariable."""

    template_class = SandboxTemplate
    loop_iteration_limit = 1_000
    output_stream_limit = MAX_LENGTH
    context_depth_limit = 20

    def __init__(self, *, autoescape: bool, is_strict: bool) -> None:
        self.is_strict = is_strict
        super().__init__(autoescape=autoescape)
        self.text_filters = _find_filters_of(self, "string") - {"slice"}
        self.number_filters = _find_filters_of(self, "math") | {"sum"}

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        """Take the library's tags and filters, without those that read files or pass on what was not escaped."""
        super().setup_tags_and_filters(extra=extra)
        for tag in STRICT_TAGS if self.is_strict else PLAIN_TAGS:
            self.add_tag(tag)
        for name in _BANNED_TAGS:
            self.tags.pop(name, None)
        for name in _BANNED_FILTERS:
            self.filters.pop(name, None)
        self.add_filter("date", format_date)


def _find_filters_of(sandbox: Environment, subject: str) -> frozenset[str]:
    """Return the library's filters of one subject: those that make text of whatever they are given (apart from
    `slice`, which takes lists too), or those that calculate."""
    module = f"liquid.builtin.filters.{subject}"
    return frozenset(name for name, function in sandbox.filters.items() if function.__module__ == module)


_SANDBOXES = {
    (autoescape, is_strict): Sandbox(autoescape=autoescape, is_strict=is_strict)
    for autoescape in (True, False)
    for is_strict in (True, False)
}


@lru_cache(maxsize=256)
def parse_part(source: str, *, autoescape: bool, is_strict: bool) -> BoundTemplate:
    """Return a parsed part of a message. Raises LiquidError; parsing costs more than filling in, so it is kept."""
    return _SANDBOXES[autoescape, is_strict].from_string(source)


def find_filters() -> frozenset[str]:
    """Return the names of the filters that there are."""
    return frozenset(_SANDBOXES[True, True].filters)
