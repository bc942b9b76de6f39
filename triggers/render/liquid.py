"""A message from its template: subject, HTML and text. Pure.

The HTML escapes what it is given; the subject loses what could end a header; the text is made from the HTML when it
was left empty.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from inscriptis import get_text
from inscriptis.model.config import ParserConfig
from liquid.exceptions import LiquidError

from triggers.render.outputs import MissingVariable
from triggers.render.sandbox import MAX_SOURCE, find_filters, parse_part

ROOTS = ("user", "event", "source")
_OTHER_ROOTS = ("time_zone", "now", "today")
_WITH_LINKS = ParserConfig(display_links=True)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_UNSTORABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What a template says. `allows_empty`: a variable without value leaves an empty place instead of no message."""

    subject: str
    html: str = ""
    text: str = ""
    allows_empty: bool = False


class RenderedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What a person will read."""

    subject: str
    html: str
    text: str


class RenderFailed(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no message: `missing_variable` or `template_error`, and the variable or a sentence."""

    reason: str
    detail: str


class TemplateProblem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a template's part; `is_error` false for what is only suspicious."""

    code: str
    part: str
    message: str
    line: int | None = None
    is_error: bool = True


def render_message(words: Words, variables: Mapping[str, Any]) -> RenderedMessage | RenderFailed:
    """Return the message, or why there is none. Never raises for anything that a template can do."""
    is_strict = not words.allows_empty
    try:
        subject = _fill_in(words.subject, variables, autoescape=False, is_strict=is_strict)
        html = _fill_in(words.html, variables, autoescape=True, is_strict=is_strict)
        text = _fill_in(words.text, variables, autoescape=False, is_strict=is_strict) if words.text.strip() else ""
        return RenderedMessage(subject=clean_header(subject), html=html, text=text or make_text(html))
    except MissingVariable as missing:
        return RenderFailed(reason="missing_variable", detail=missing.name)
    except (LiquidError, ArithmeticError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        return RenderFailed(reason="template_error", detail=_say_error(error))


def _fill_in(source: str, variables: Mapping[str, Any], *, autoescape: bool, is_strict: bool) -> str:
    """Return a part without what neither a mail nor a database can hold."""
    filled = parse_part(source, autoescape=autoescape, is_strict=is_strict).render(**variables)
    return _UNSTORABLE.sub("", filled)


def check_template(words: Words, known: Mapping[str, set[str]] | None = None) -> list[TemplateProblem]:
    """Return what is wrong with a template: syntax, roots that do not exist, and names that nobody has sent.

    `known` maps a root (`user`, `event`) to the names seen; a root that is lacking there is not checked.
    """
    found: list[TemplateProblem] = []
    if not words.subject.strip():
        found.append(TemplateProblem(code="empty", part="subject", message="A message needs a subject."))
    if not words.html.strip() and not words.text.strip():
        found.append(TemplateProblem(code="empty", part="html", message="A message needs an HTML or a text part."))
    for part in ("subject", "html", "text"):
        found += _check_part(part, getattr(words, part), known or {})
    return found


def _check_part(part: str, source: str, known: Mapping[str, set[str]]) -> list[TemplateProblem]:
    if len(source) > MAX_SOURCE:
        message = f"It is too long: at most {MAX_SOURCE:,} characters."
        return [TemplateProblem(code="too_long", part=part, message=message)]
    try:
        analysis = parse_part(source, autoescape=part == "html", is_strict=True).analyze()
    except (LiquidError, RecursionError) as error:
        message = f"It cannot be read: {_say_error(error)}."
        return [TemplateProblem(code="syntax", part=part, message=message, line=_find_line(error))]
    found = [
        TemplateProblem(
            code="unknown_filter",
            part=part,
            message=f"There is no filter `{name}`.",
            line=_count_lines(source, spans[0].index),
        )
        for name, spans in analysis.filters.items()
        if name not in find_filters()
    ]
    for root, places in analysis.globals.items():
        found += _check_root(part, source, root, places, known)
    return found


def _check_root(
    part: str, source: str, root: str, places: list[Any], known: Mapping[str, set[str]]
) -> list[TemplateProblem]:
    if root not in (*ROOTS, *_OTHER_ROOTS):
        line = _count_lines(source, places[0].span.index)
        message = f"There is no variable `{root}`: use user, event or source."
        return [TemplateProblem(code="unknown_variable", part=part, message=message, line=line)]
    if root not in known:
        return []
    first_seen: dict[str, int] = {}
    for place in places:
        if len(place.segments) > 1 and isinstance(place.segments[1], str):
            first_seen.setdefault(place.segments[1], place.span.index)
    return [
        TemplateProblem(
            code="unseen_variable",
            part=part,
            message=f"Nobody has been seen with `{root}.{name}` yet: is the name right?",
            line=_count_lines(source, index),
            is_error=False,
        )
        for name, index in sorted(first_seen.items())
        if name not in known[root]
    ]


def _say_error(error: Exception) -> str:
    """Return the first line of what went wrong; the library adds a drawing of the place to it."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _find_line(error: Exception) -> int | None:
    token = getattr(error, "token", None)
    if token is None or token.start_index < 0:
        return None
    return _count_lines(token.source, token.start_index)


def _count_lines(source: str, index: int) -> int:
    return source.count("\n", 0, index) + 1


def clean_header(value: str) -> str:
    """Return text that cannot end a mail's header."""
    return _CONTROL.sub(" ", value).strip()


def make_text(html: str) -> str:
    """Return what an HTML part says, as text; a link as [words](address)."""
    return get_text(html, _WITH_LINKS).strip() if html.strip() else ""
