"""What an event's name could be called better: said, never refused. Pure."""

import re

import msgspec

_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS = re.compile(r"[^\w]+|_+", re.ASCII)
_SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_VERB_WORDS = """
    accept add apply begin book browse buy call cancel change check choose clear click close complete confirm
    create delete dismiss download edit end enter finish get invite join leave like login logout make mark move
    open order pay play post publish purchase read receive refund register reject remove request reset save search
    see select send set share show sign skip start submit subscribe switch tap track turn unsubscribe update
    upload use view visit watch
"""
_VERBS = frozenset(_VERB_WORDS.split())


class NameHint(msgspec.Struct, frozen=True, kw_only=True):
    """What could be better about a name. `suggestion` is the same words as snake_case, None where they are already."""

    suggestion: str | None
    message: str


def find_hint(name: str) -> NameHint | None:
    """Return what could be better about a name, or None."""
    if _SNAKE.fullmatch(name) is None:
        suggestion = suggest_snake_case(name)
        if suggestion is None or suggestion == name:
            message = (
                "Names of lower-case letters, digits and underscores, such as order_completed, are easiest to use."
            )
            return NameHint(suggestion=None, message=message)
        return NameHint(suggestion=suggestion, message=f"The same words as snake_case: {suggestion}.")
    first, *others = name.split("_")
    if others and first in _VERBS and not others[-1].endswith("ed"):
        message = (
            "The name begins with what was done. Many teams name the thing first and then what happened to it, as in "
            "order_completed, so that related events stand together in lists. Either is fine: an event that is "
            "already in use is better left as it is."
        )
        return NameHint(suggestion=None, message=message)
    return None


def suggest_snake_case(name: str) -> str | None:
    """Return the words of a name as snake_case; None where it has no letters of a to z to start with."""
    spread = _BOUNDARY.sub("_", name)
    words = [word.lower() for word in _SEPARATORS.split(spread) if word]
    suggestion = "_".join(words)
    return suggestion if _SNAKE.fullmatch(suggestion) else None
