"""Bodies that come in chunks, of a length that nobody says before: Django takes them for empty."""

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

MOST = 6_000_000
"""Bytes; any of our addresses takes less, and refuses what is longer by its length."""
_PIECE = 65_536


def read_chunked(application: Application) -> Application:
    """Return an application that is told the length of a body that comes in chunks.

    The server in front has taken the chunks apart already: its input ends where the body does. A length beside chunks
    says nothing.
    """

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if _is_chunked(environ):
            body = _read(environ["wsgi.input"])
            environ["wsgi.input"], environ["CONTENT_LENGTH"] = BytesIO(body), str(len(body))
        return application(environ, start_response)

    return serve


def _is_chunked(environ: dict[str, Any]) -> bool:
    return "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()


def _read(stream: Any) -> bytes:
    pieces, length = [], 0
    while length <= MOST and (piece := stream.read(_PIECE)):
        pieces.append(piece)
        length += len(piece)
    return b"".join(pieces)
