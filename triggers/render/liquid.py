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

from triggers.render.sandbox import MissingVariable, Sandbox

ROOTS = ("user", "event", "source")
_WITH_LINKS = ParserConfig(display_links=True)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")
_STRICT = {autoescape: Sandbox(autoescape=autoescape, is_strict=True) for autoescape in (True, False)}
_LENIENT = {autoescape: Sandbox(autoescape=autoescape, is_strict=False) for autoescape in (True, False)}


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
    environments = _LENIENT if words.allows_empty else _STRICT
    try:
        subject = environments[False].from_string(words.subject).render(**variables)
        html = environments[True].from_string(words.html).render(**variables)
        text = environments[False].from_string(words.text).render(**variables) if words.text.strip() else ""
    except MissingVariable as missing:
        return RenderFailed(reason="missing_variable", detail=missing.name)
    except (LiquidError, ArithmeticError, ValueError, TypeError, RecursionError) as error:
        return RenderFailed(reason="template_error", detail=str(error).splitlines()[0] if str(error) else repr(error))
    return RenderedMessage(subject=clean_header(subject), html=html, text=text or make_text(html))


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
    try:
        used = _STRICT[False].from_string(source).analyze().globals
    except LiquidError as error:
        line = getattr(error, "lineno", None)
        sentence = str(error).splitlines()[0]
        return [TemplateProblem(code="syntax", part=part, message=f"It cannot be read: {sentence}.", line=line)]
    found = []
    for root, places in used.items():
        if root not in (*ROOTS, "time_zone"):
            message = f"There is no variable `{root}`: use user, event or source."
            found.append(TemplateProblem(code="unknown_variable", part=part, message=message))
            continue
        names = {str(place.segments[1]) for place in places if len(place.segments) > 1}
        for name in sorted(names - known[root]) if root in known else ():
            message = f"Nobody has been seen with `{root}.{name}` yet: is the name right?"
            found.append(TemplateProblem(code="unseen_variable", part=part, message=message, is_error=False))
    return found


def clean_header(value: str) -> str:
    """Return text that cannot end a mail's header."""
    return _CONTROL.sub(" ", value).strip()


def make_text(html: str) -> str:
    """Return what an HTML part says, as text; a link as [words](address)."""
    return get_text(html, _WITH_LINKS).strip() if html.strip() else ""
