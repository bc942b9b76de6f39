"""Liquid in a sandbox: a marketer is trusted with words, not with code. Pure."""

import re
from functools import lru_cache

from liquid import BoundTemplate, Environment
from liquid.exceptions import LiquidSyntaxError

from triggers.render.dates import format_date
from triggers.render.limits import BoundedContext
from triggers.render.outputs import PLAIN_TAGS, STRICT_TAGS

MAX_LENGTH = 200_000
MAX_SOURCE = 100_000
_PAIRS = tuple(
    (re.compile(opening), re.compile(closing))
    for opening, closing in (
        (r"\{\{", r"\}\}"),
        (r"\{%", r"%\}"),
        (r"\{%-?\s*raw\s*-?%\}", r"\{%-?\s*endraw\s*-?%\}"),
        (r"\{%-?\s*doc\s*-?%\}", r"\{%-?\s*enddoc\s*-?%\}"),
    )
)
_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_MANY_BLANKS = re.compile(r"\s{200,}")
_MOST_PARENTHESES = 100
_MOST_UNCLOSED = 20
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
    _check_source(source)
    return _SANDBOXES[autoescape, is_strict].from_string(source)


def _check_source(source: str) -> None:
    """Refuse what the library's lexer would search for minutes: from each opening that nothing closes it reads to the
    end, from each parenthesis to the end of its tag, and of blanks in a tag it tries each pair of places."""
    if len(source) > MAX_LENGTH:
        raise LiquidSyntaxError(f"more than {MAX_LENGTH:,} characters", token=None)
    for opening, closing in _PAIRS:
        last = max((found.end() for found in closing.finditer(source)), default=0)
        if len(opening.findall(source, last)) > _MOST_UNCLOSED:
            raise LiquidSyntaxError("too many tags that are not closed", token=None)
    if any(tag[0].count("(") > _MOST_PARENTHESES for tag in _TAG.finditer(source)):
        raise LiquidSyntaxError("too many parentheses in a tag", token=None)
    for run in _MANY_BLANKS.finditer(source):
        before = source[: run.start()]
        if max(map(before.rfind, ("{{", "{%"))) > max(map(before.rfind, ("}}", "%}"))):
            raise LiquidSyntaxError("too many blanks in a tag", token=None)


def find_filters() -> frozenset[str]:
    """Return the names of the filters that there are."""
    return frozenset(_SANDBOXES[True, True].filters)
