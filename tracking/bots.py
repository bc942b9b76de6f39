"""Who is no person: user agents that a library's list knows as crawlers, monitors and headless browsers."""

from functools import lru_cache

from crawleruseragents import is_crawler

_LOOKED_AT = 512
"""Characters of a user agent; real ones are shorter, and the list's patterns take longer the more there is."""


def is_bot(user_agent: str, origin: str | None) -> bool:
    """Whether a page's visitor is a bot. Only what looks like a browser is asked about: a phone app's or a server's
    library is on such lists too, and reports what people do."""
    if origin is None and not user_agent.startswith("Mozilla/"):
        return False
    return _is_listed(user_agent[:_LOOKED_AT])


@lru_cache(maxsize=4096)
def _is_listed(user_agent: str) -> bool:
    return bool(is_crawler(user_agent))
