"""Origins of pages: as a browser writes them, and the patterns that allow them. Pure."""

from collections.abc import Iterator
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


class OriginRefused(Exception):
    """This is no origin that can be allowed: the message says why, for a person."""


def clean_origin(given: str) -> str:
    """Return an origin as browsers write it: lower case, ASCII, without the usual port; `*.` allows all sub-domains.

    Raises OriginRefused.
    """
    given = given.strip().rstrip("/").lower()
    if given == "null":
        raise OriginRefused("Pages without an origin (“null”) cannot be allowed: any page can pretend to be one.")
    try:
        parts = urlsplit(given)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        scheme, host, port, parts = "", "", None, urlsplit("")
    if scheme not in _DEFAULT_PORTS or not host or given != f"{scheme}://{parts.netloc}" or "@" in parts.netloc:
        raise OriginRefused("An origin is a scheme and a host, such as https://shop.example")
    wildcard, bare = ("*.", host[2:]) if host.startswith("*.") else ("", host)
    if "*" in bare or (wildcard and "." not in bare):
        raise OriginRefused("A star stands for the sub-domains of one domain, such as https://*.shop.example")
    shown = f"[{bare}]" if ":" in bare else _to_ascii(bare)
    is_usual = port is None or port == _DEFAULT_PORTS[scheme]
    return f"{scheme}://{wildcard}{shown}" + ("" if is_usual else f":{port}")


def list_patterns(origin: str) -> Iterator[str]:
    """Return what may allow an origin, the most particular first: itself, then the stars of its parents."""
    yield origin
    scheme, separator, rest = origin.partition("://")
    while separator and "." in rest:
        rest = rest.partition(".")[2]
        yield f"{scheme}://*.{rest}"


def _to_ascii(host: str) -> str:
    try:
        return host.encode("ascii").decode() if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        raise OriginRefused("An origin is a scheme and a host, such as https://shop.example") from None
