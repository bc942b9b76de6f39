"""Bodies in chunks, behind a server for WSGI that takes them apart."""

from io import BytesIO
from typing import Any

import pytest

from engagement.chunked import MOST, read_chunked


def serve(body: bytes, **environ: str) -> bytes:
    """Return what an application reads that goes by the length."""
    read: list[bytes] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        read.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        return []

    read_chunked(application)({"wsgi.input": BytesIO(body), **environ}, None)
    return read[0]


@pytest.mark.parametrize("length", [{}, {"CONTENT_LENGTH": ""}, {"CONTENT_LENGTH": "3"}])
def test_a_body_in_chunks_is_read_to_its_end(length: dict[str, str]) -> None:
    assert serve(b"a body", HTTP_TRANSFER_ENCODING="Chunked", **length) == b"a body"


def test_no_more_is_read_than_any_address_takes() -> None:
    assert MOST < len(serve(b"x" * (MOST + 1_000_000), HTTP_TRANSFER_ENCODING="chunked")) < MOST + 100_000


def test_a_body_with_a_length_is_left_alone() -> None:
    assert serve(b"a body", CONTENT_LENGTH="3") == b"a b"
