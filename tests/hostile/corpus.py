"""Recorded requests of every client, as one corpus: what fits one dialect is hostile to another."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tracking.wire.dialects import ADDRESSES
from tracking.wire.request import WireRequest

SAMPLES = Path(__file__).parents[1] / "wire_samples"
REPORTING = sorted({path for method, path in ADDRESSES if method == "POST"})
"""Each address that takes a body."""


def load_requests() -> Iterator[tuple[str, WireRequest]]:
    """Return each recorded request under the name of its file and line."""
    for file in sorted(SAMPLES.glob("*.jsonl")):
        for number, line in enumerate(file.read_text().splitlines()):
            sample = json.loads(line)
            yield (
                f"{file.stem}-{number}",
                WireRequest(
                    method=sample["method"],
                    path=sample["path"].rstrip("/"),
                    query=sample["query_string"],
                    headers={name.lower(): value for name, value in sample["headers"].items()},
                    body=_read_body(sample),
                ),
            )


def _read_body(sample: dict[str, Any]) -> bytes:
    """Return the body as it came; where the recording was cut, what was read of it."""
    raw = sample["raw"]
    body = base64.b64decode(raw["base64"]) if "base64" in raw else raw["text"].encode("utf-8", "surrogatepass")
    is_cut = sample.get("raw_len", len(body)) != len(body)
    return json.dumps(sample["json"]).encode() if is_cut and sample["json"] else body
