"""Requests that real libraries sent, as they were recorded."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tracking.wire.request import WireRequest

FOLDER = Path(__file__).parent / "wire_samples"


def load_samples(pattern: str) -> Iterator[Any]:
    """Return each recorded request of the files that fit a pattern, as a parameter of a test."""
    for path in sorted(FOLDER.glob(pattern)):
        for number, line in enumerate(path.read_text().splitlines()):
            if line and json.loads(line)["method"] != "OPTIONS":
                yield pytest.param(json.loads(line), id=f"{path.stem}-{number}")


def load_requests(pattern: str) -> list[WireRequest]:
    """Return the same as requests."""
    return [make_request(parameter.values[0]) for parameter in load_samples(pattern)]


def read_body(sample: Any) -> bytes:
    """Return a recorded body, byte by byte."""
    raw = sample["raw"]
    return base64.b64decode(raw["base64"]) if "base64" in raw else raw["text"].encode()


def make_request(sample: Any, **more: Any) -> WireRequest:
    """Return a recorded request as the door gets it."""
    fields = {
        "method": sample["method"],
        "path": sample["path"].rstrip("/"),
        "headers": {name.lower(): value for name, value in sample["headers"].items()},
        "body": read_body(sample),
        "query": sample["query_string"],
    }
    return WireRequest(**fields | more)
