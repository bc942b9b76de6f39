"""A page as every dialect tells of it, so that one rule fits all. Pure."""

from typing import Any
from urllib.parse import urlsplit


def describe_page(url: Any, title: Any = None, referrer: Any = None) -> dict[str, Any]:
    """Return `url`, `path`, `title` and `referrer`, those that are known."""
    page = {"url": url, "path": _cut_path(url), "title": title, "referrer": referrer}
    return {name: value for name, value in page.items() if value not in (None, "")}


def _cut_path(url: Any) -> str | None:
    try:
        return urlsplit(url).path if isinstance(url, str) else None
    except ValueError:
        return None
